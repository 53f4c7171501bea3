"""Retention: removes old event files, but only those whose events Parquet was found to hold.

Nothing else removes an event file: not the server, and not compaction alone.
"""

import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import duckdb

from core.progress import SILENT
from events.compaction import PartFile
from events.duckdb_engine import DuckDbEngine
from events.duckdb_loader import FIELDS, database, load
from events.durable_files import sync_file, sync_folder
from events.event_files import END_SUFFIX, MANIFEST, EventFile, find_event_files
from events.file_ends import UNACKNOWLEDGED, may_grow

DAY_S = 86_400
_NOTHING_LOST = frozenset({UNACKNOWLEDGED, "blank line"})


@dataclass(frozen=True, slots=True)
class OldFile:
    """An event file that is older than it has to be kept.

    Attributes:
        path: The file.
        size: Its bytes.
        kept: Why it has to stay; empty if it was removed, or would be.
    """

    path: Path
    size: int
    kept: str


def remove_old(
    logs: Iterable[str | Path],
    to: Path,
    parts: dict[str, PartFile],
    older_than_s: float,
    *,
    remove: bool,
    memory_mb: int = 1000,
) -> list[OldFile]:
    """Remove the event files that nobody has written to since then, and that Parquet holds.

    A file's lines are read again and compared with its Parquet, value by value. Then the Parquet is
    brought to the disk, and only then the file is removed, with its `NAME.end.json`.

    Args:
        logs: Event files, or folders of them.
        to: The folder of the Parquet.
        parts: Path of an event file -> its Parquet, from `compact`.
        older_than_s: Unix time in seconds.
        remove: Whether to remove them; without, the result says what would be removed.
        memory_mb: Memory that DuckDB may use.
    """
    found = []
    for source in find_event_files(list(logs)):
        if source.packing == "parquet" or source.path.stat().st_mtime >= older_than_s:
            continue
        kept = _reason_to_keep(source, to, parts.get(str(source.path.resolve())), memory_mb)
        if remove and not kept:
            _sync(to, parts[str(source.path.resolve())])
            if source.path.stat().st_size == source.size:
                source.path.unlink()
                source.path.with_suffix(END_SUFFIX).unlink(missing_ok=True)
            else:
                kept = "grew meanwhile"
        found.append(OldFile(source.path, source.size, kept))
    return found


def _reason_to_keep(source: EventFile, to: Path, part: PartFile | None, memory_mb: int) -> str:
    if part is None:
        return "not compacted"
    if may_grow(source.path):
        return "the last file of a process that may still run"
    lost = {reason: n for reason, n in part.dropped.items() if reason not in _NOTHING_LOST}
    if lost:
        return f"{sum(lost.values()):,} lines are not in Parquet: {', '.join(sorted(lost))}"
    return _difference(source, to, part, memory_mb)


def _difference(source: EventFile, to: Path, part: PartFile, memory_mb: int) -> str:
    """Compare the lines of a file with its Parquet; say how they differ."""
    with tempfile.TemporaryDirectory(prefix=".comparing-", dir=to) as scratch:
        con = database(Path(scratch) / "log.duckdb", memory_mb, None)
        try:
            one = EventFile(1, source.path, source.packing, source.size)
            load(DuckDbEngine(con), [one], SILENT, keep_duplicates=True)
            if one.checksum != part.checksum:
                return "changed since it was compacted"
            return _compare(con, [str(to / name) for name in part.files], part.events)
        except duckdb.Error as error:
            return f"its Parquet cannot be read: {str(error).splitlines()[0]}"
        finally:
            con.close()


def _compare(con: duckdb.DuckDBPyConnection, files: list[str], events: int) -> str:
    if not files:
        return "" if events == 0 else "its Parquet is gone"
    columns = ", ".join(f"CAST({column} AS VARCHAR)" for column, _ in FIELDS.values())
    lines = f"SELECT {columns} FROM loaded"  # noqa: S608
    parquet = f"SELECT {columns} FROM read_parquet($files, hive_partitioning = false)"  # noqa: S608
    row = con.execute(
        f"SELECT count(*), (SELECT count(*) FROM ({lines} EXCEPT ALL {parquet})) "  # noqa: S608
        f"FROM ({parquet})",
        {"files": files},
    ).fetchone()
    rows, missing = row or (0, 0)
    if rows != events or missing:
        return f"of its {events:,} events, Parquet has {rows - missing:,} as they are"
    return ""


def _sync(to: Path, part: PartFile) -> None:
    """Bring the Parquet of one event file, and its place in the manifest, to the disk."""
    for path in (*(to / name for name in part.files), to / MANIFEST):
        sync_file(path)
    for folder in {(to / name).parent for name in part.files} | {to}:
        sync_folder(folder)
