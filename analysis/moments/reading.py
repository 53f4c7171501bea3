"""Opens moments as a log: its tables are made of sums by session, and of no event."""

import tempfile
from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa

from analysis.moments.moments import TABLES, Moments
from events.duckdb_engine import DuckDbEngine
from events.duckdb_loader import database
from events.queries import NamedQuery, read_named
from events.reader import SKIP_BELOW, EventLog


def open_moments(moments: Moments, memory_mb: int = 1000, threads: int | None = None) -> EventLog:
    """Open moments. Close the log, or use `with`.

    The log has the tables that effects need. Of `events` it has only tracks and answers; checks
    that read more cannot be made again, and `validity.py` takes them from the parts.
    """
    kept = tempfile.TemporaryDirectory(prefix="segue-moments-")
    engine = DuckDbEngine(database(Path(kept.name) / "log.duckdb", memory_mb, threads))
    log = EventLog(engine, kept, moments.parts[0].gap_s)
    try:
        _add_provenance(log, moments)
        for name in TABLES:
            engine.create(NamedQuery("view", f"kept_{name}", _rows_of(moments, name)))
        for query in read_named("analysis", "moments_tables"):
            engine.create(query)
        values = {"gap_ms": round(log.gap_s * 1000), "skip_below": repr(SKIP_BELOW)}
        for query in read_named("events", "sessions", **values):
            if query.name != "pieces":
                engine.create(query)
        for name in ("listeners", "listener_sums", "excluded"):
            for query in read_named("events", name):
                engine.create(query)
    except BaseException:
        log.close()
        raise
    return log


def _rows_of(moments: Moments, name: str) -> str:
    """The rows of a table in all parts; files are numbered over all parts."""
    queries, before = [], 0
    for part in moments.parts:
        path = str(part.folder / f"{name}.parquet").replace("'", "''")
        columns = f"* REPLACE (file_id + {before} AS file_id)" if name == "seen" else "*"
        queries.append(f"SELECT {columns} FROM read_parquet('{path}')")  # noqa: S608
        before += len(part.files)
    return " UNION ALL ".join(queries)


def _add_provenance(log: EventLog, moments: Moments) -> None:
    """Make the tables that say what the parts were made of."""
    files = [row for part in moments.parts for row in part.files]
    path, kind, lines, checksum = (list(column) for column in zip(*files, strict=True))
    engine = log.engine
    engine.add(
        "files",
        pa.table(
            {
                "file_id": pa.array(range(1, len(files) + 1), pa.int32()),
                "path": pa.array(path, pa.string()),
                "format": pa.array(kind, pa.string()),
                "lines": pa.array(lines, pa.int64()),
                "checksum": pa.array(checksum, pa.string()),
            }
        ),
    )
    dropped: dict[str, tuple[int, list[str]]] = {}
    for part in moments.parts:
        for reason, count, examples in part.dropped:
            before, places = dropped.get(reason, (0, []))
            dropped[reason] = before + count, [*places, *examples][:3]
    engine.add(
        "dropped",
        pa.table(
            {
                "reason": pa.array(list(dropped), pa.string()),
                "lines": pa.array([count for count, _ in dropped.values()], pa.int64()),
                "examples": pa.array([e for _, e in dropped.values()], pa.list_(pa.string())),
            }
        ),
    )
    rows = sorted({tuple(row) for part in moments.parts for row in part.assignments})
    engine.add("assignments", _texts(("experiments", "experiment", "arm"), rows))
    begin_ms = min(part.begin_ms for part in moments.parts)
    end_ms = max(part.end_ms for part in moments.parts)
    engine.add("log_span", pa.table({"begin_ms": [begin_ms], "end_ms": [end_ms]}))


def _texts(names: Sequence[str], rows: Sequence[Sequence[str]]) -> pa.Table:
    return pa.table(
        {
            name: pa.array([row[place] for row in rows], pa.string())
            for place, name in enumerate(names)
        }
    )
