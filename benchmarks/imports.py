"""The speed and memory of imports; run with `python -m benchmarks.imports [MILLIONS] [FORM ...]`.

Makes files of the shape of Yambda 50M (10,000 listeners, 934,057 tracks; 46.5 million rows, 50 by
name), sorted by listener as the data set is or shuffled, and one of its listens as a table in CSV,
TSV, JSON lines and Parquet. Imports each by `segue data import` in a process of its own, and prints
rows a second by the clock and by the CPU, and the process's largest memory.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from time import perf_counter

import numpy as np
import pyarrow as pa
from pyarrow import csv, parquet
from rich.console import Console
from rich.table import Table

USERS, TRACKS, IDS = 10_000, 934_057, 9_390_000
CHUNK = 1_000_000
SPAN_S = 300 * 86_400
EPOCH_S = 1_700_000_000

Columns = dict[str, np.ndarray]


def main() -> None:
    """Print a row for each form of file; two million rows unless the command says more."""
    arguments = sys.argv[1:] if sys.argv[0].endswith("imports.py") else []
    millions = float(arguments[0]) if arguments else 2.0
    forms = arguments[1:] or list(FORMS)
    rows = int(millions * 1e6)
    table = Table(title=f"{rows:,} rows, {os.cpu_count()} cores", title_justify="left")
    for heading in ("file", "as", "MB", "s", "of CPU", "rows/s", "rows/CPU s", "memory MB"):
        table.add_column(heading, justify="left" if heading in ("file", "as") else "right")
    with tempfile.TemporaryDirectory() as folder:
        for form in forms:
            kind, write = FORMS[form]
            path = Path(folder) / form
            write(path, rows)
            seconds, cpu_s, memory_mb = measure(kind, path, Path(folder) / "out")
            table.add_row(
                form, kind, f"{path.stat().st_size / 1e6:,.0f}", f"{seconds:.1f}", f"{cpu_s:.1f}",
                f"{rows / seconds:,.0f}", f"{rows / cpu_s:,.0f}", f"{memory_mb:,.0f}",
            )  # fmt: skip
            path.unlink()
    Console(width=120).print(table)


def measure(kind: str, path: Path, to: Path) -> tuple[float, float, float]:
    """Import a file in a process of its own: seconds, CPU seconds, largest memory in MB."""
    begun = perf_counter()
    command = [sys.executable, "-m", "cli", "data", "import", kind, str(path), "--to", str(to)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, "the import succeeds"
    return perf_counter() - begun, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def listening(rows: int, *, shuffled: bool) -> Iterator[Columns]:
    """Yield the columns of Yambda, a million rows at a time; the same rows in every run."""
    draws = np.random.default_rng(50)
    ids = draws.permutation(IDS)[:TRACKS].astype(np.uint32)
    weight = draws.lognormal(0, 1.3, USERS)
    ends = np.cumsum(weight / weight.sum() * rows)
    for begin in range(0, rows, CHUNK):
        size = min(CHUNK, rows - begin)
        place = draws.integers(0, rows, size) if shuffled else np.arange(begin, begin + size)
        user = np.minimum(np.searchsorted(ends, place), USERS - 1)
        starts = np.append(0, ends[:-1])
        share = (place - starts[user]) / np.maximum(1, ends[user] - starts[user])
        # Squares of squares: the most popular of the tracks has about one in thirty listens.
        track = (draws.random(size) ** 4 * TRACKS).astype(np.int64)
        yield {
            "uid": (user * 100).astype(np.uint32),
            "timestamp": (np.clip(share, 0, 1) * SPAN_S // 5 * 5).astype(np.uint32),
            "item_id": ids[track],
            "is_organic": draws.integers(0, 2, size).astype(np.uint8),
            "played_ratio_pct": draws.choice([0, 5, 50, 100, 100, 100], size).astype(np.uint16),
            "track_length_seconds": draws.integers(60, 400, size).astype(np.uint32),
        }


def write_yambda(path: Path, rows: int, *, shuffled: bool = False) -> None:
    """Write the rows as Yambda has them."""
    with parquet.ParquetWriter(path, _arrow(next(listening(1, shuffled=False))).schema) as writer:
        for columns in listening(rows, shuffled=shuffled):
            writer.write_table(_arrow(columns))


def _shuffled(path: Path, rows: int) -> None:
    write_yambda(path, rows, shuffled=True)


def _arrow(columns: Columns) -> pa.Table:
    return pa.table({name: pa.array(values) for name, values in columns.items()})


def _table_rows(rows: int) -> Iterator[pa.Table]:
    for columns in listening(rows, shuffled=False):
        at = (columns["timestamp"].astype(np.int64) + EPOCH_S) * 1_000_000
        yield pa.table(
            {
                "user": columns["uid"],
                "track": columns["item_id"],
                "at": pa.array(at).cast(pa.timestamp("us")).cast(pa.timestamp("s", "UTC")),
                "time": columns["played_ratio_pct"] / 100,
            }
        )


def _parquet_table(path: Path, rows: int) -> None:
    with parquet.ParquetWriter(path, next(_table_rows(1)).schema) as writer:
        for part in _table_rows(rows):
            writer.write_table(part)


def _separated(mark: str) -> Callable[[Path, int], None]:
    def write(path: Path, rows: int) -> None:
        options = csv.WriteOptions(include_header=False, delimiter=mark, quoting_style="none")
        schema = next(_table_rows(1)).schema
        with path.open("wb") as file, csv.CSVWriter(file, schema, write_options=options) as writer:
            file.write(mark.join(schema.names).encode() + b"\n")
            for part in _table_rows(rows):
                writer.write(part)

    return write


def _json_lines(path: Path, rows: int) -> None:
    with path.open("w") as file:
        for part in _table_rows(rows):
            cells = zip(*(part.column(name).to_pylist() for name in part.column_names), strict=True)
            file.writelines(
                f'{{"user": {user}, "track": {track}, "at": "{at.isoformat()}", "time": {time}}}\n'
                for user, track, at, time in cells
            )


FORMS: dict[str, tuple[str, Callable[[Path, int], None]]] = {
    "listens.parquet": ("yambda", write_yambda),
    "shuffled.parquet": ("yambda", _shuffled),
    "table.parquet": ("table", _parquet_table),
    "table.csv": ("table", _separated(",")),
    "table.tsv": ("table", _separated("\t")),
    "table.jsonl": ("table", _json_lines),
}


if __name__ == "__main__":
    main()
