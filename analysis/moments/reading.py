"""Opens moments as a log: its tables are made of sums by session, and of no event."""

import tempfile
from pathlib import Path

import pyarrow as pa

from analysis.moments.moments import TABLES, Moments
from analysis.moments.part_tables import read_table
from events.arrow_rows import table_of
from events.duckdb_loader import MEMORY_MB
from events.queries import read_named
from events.reader import SKIP_BELOW, EventLog, open_tables
from events.spark_session import SparkOptions


def open_moments(
    moments: Moments,
    memory_mb: int = MEMORY_MB,
    threads: int | None = None,
    spark: SparkOptions | None = None,
) -> EventLog:
    """Open moments. Close the log, or use `with`.

    The log has the tables that effects need, and those of the checks that `validity.py` makes
    again. Of `events` it has only tracks and answers.

    Args:
        moments: The parts.
        memory_mb: Memory that DuckDB may use.
        threads: Threads of DuckDB; all cores by default.
        spark: Read the parts on Spark, in a session with these options. None: DuckDB.
    """
    kept = tempfile.TemporaryDirectory(prefix="segue-moments-")
    engine = open_tables(Path(kept.name), memory_mb, threads, spark)
    log = EventLog(engine, kept, moments.parts[0].gap_s)
    try:
        _add_provenance(log, moments)
        for name in TABLES:
            read_table(engine, name, moments.parts)
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


def _add_provenance(log: EventLog, moments: Moments) -> None:
    """Make the tables that say what the parts were made of."""
    parts, engine = moments.parts, log.engine
    files = [row for part in parts for row in part.files]
    numbered = [(number, *row) for number, row in enumerate(files, start=1)]
    engine.add("files", table_of(numbered, file_id=pa.int32(), path=pa.string(), format=pa.string(),
                               lines=pa.int64(), checksum=pa.string()))  # fmt: skip
    ends, before = [], 0
    for part in parts:
        ends += [(file_id + before, lines, last) for file_id, lines, last in part.ends]
        before += len(part.files)
    engine.add("file_ends", table_of(ends, file_id=pa.int32(), lines=pa.int64(), last=pa.string()))
    engine.add("dropped", table_of(_dropped(moments), reason=pa.string(), lines=pa.int64(),
                                 examples=pa.list_(pa.string())))  # fmt: skip
    engine.add("written_ids", table_of(_written_ids(moments), stem=pa.string(), first_id=pa.int64(),
                                     last_id=pa.int64(), ids=pa.int64()))  # fmt: skip
    rows = sorted({tuple(row) for part in parts for row in part.assignments})
    names = ("experiments", "experiment", "arm")
    engine.add("assignments", table_of(rows, **dict.fromkeys(names, pa.string())))
    span = min(part.begin_ms for part in parts), max(part.end_ms for part in parts)
    engine.add("log_span", table_of([span], begin_ms=pa.int64(), end_ms=pa.int64()))


def _dropped(moments: Moments) -> list[tuple[str, int, list[str]]]:
    """Add up the dropped lines, by reason."""
    found: dict[str, tuple[int, list[str]]] = {}
    for part in moments.parts:
        for reason, count, examples in part.dropped:
            before, places = found.get(reason, (0, []))
            found[reason] = before + count, [*places, *examples][:3]
    return [(reason, lines, places) for reason, (lines, places) in found.items()]


def _written_ids(moments: Moments) -> list[tuple[str, int, int, int]]:
    """Add up the ids of each process: first, last and number."""
    found: dict[str, tuple[int, int, int]] = {}
    for part in moments.parts:
        for stem, (first, last, ids) in part.ids.items():
            known = found.get(stem, (first, last, 0))
            found[stem] = min(first, known[0]), max(last, known[1]), ids + known[2]
    return [(stem, *numbers) for stem, numbers in found.items()]
