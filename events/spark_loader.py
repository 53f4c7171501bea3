"""The loader for Spark: event files into views of its session, read on the executors.

An executor reads a whole file with the reader of `duckdb_loader.py`, in a small DuckDB of its own:
so line numbers, damage and reasons are the same on both engines.
"""

import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pyarrow as pa

from core.errors import InputError
from core.progress import SILENT, Progress
from events.arrow_rows import table_of
from events.duckdb_engine import DuckDbEngine
from events.duckdb_loader import (
    FIELDS,
    WRONG_EXPERIMENTS,
    create_tables,
    database,
    load_lines,
    load_parquet,
    name_unreadable,
    read_assignments,
)
from events.event_files import EventFile, checksum_of, read_pieces, rows_of_files
from events.file_ends import UNACKNOWLEDGED, ends_unacknowledged, list_ends
from events.line_validation import drop_faulty, duplicate_queries
from events.queries import NamedQuery, read_named
from events.spark_engine import SparkEngine, map_in_arrow
from events.spark_parquet import is_read_by_spark, read_parquet
from events.url_path import log_path

READER_MB = 256
"""Memory of the small DuckDB in which an executor reads one file; it spills beyond that."""

BATCH = 10_000
"""Lines that an executor hands to Spark at once."""

TASK_BYTES = 64 << 20
"""Bytes of event files, as they are packed, from which a task more is worth its cost."""

_ARROW = {
    "BIGINT": pa.int64(),
    "INTEGER": pa.int32(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
}
COLUMNS = pa.schema(
    [
        ("file_id", pa.int32()),
        ("line", pa.int64()),
        *((column.strip('"'), _ARROW.get(kind, pa.string())) for column, kind in FIELDS.values()),
    ]
)
"""Columns of `loaded`; JSON is text."""
READ = pa.schema(
    [
        ("row", pa.string()),  # event, dropped, file or fault
        *COLUMNS,
        ("reason", pa.string()),  # of a dropped line or fault; of a file: its checksum
        ("is_cut", pa.bool_()),  # of a file; its `line` is the number of lines, `at_ms` the last
    ]
)
"""Columns that an executor yields of a file."""


class FileReader:
    """Read event files on an executor; a function for `map_in_arrow`."""

    def __call__(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Yield the events, dropped lines and one more row of each file of the batches."""
        for batch in batches:
            for file in batch.to_pylist():
                source = EventFile(**{**file, "path": log_path(file["path"])})
                try:
                    yield from _read(source)
                except InputError as error:
                    fault = error.faults[0]
                    text = orjson.dumps([fault.where, fault.what]).decode()
                    yield _row("fault", file_id=source.file_id, reason=text)


def _read(source: EventFile) -> Iterator[pa.RecordBatch]:
    if is_read_by_spark(source):
        yield _row("file", file_id=source.file_id, reason=checksum_of(source.path))
        return
    with tempfile.TemporaryDirectory(prefix="segue-read-") as folder:
        engine = DuckDbEngine(database(Path(folder) / "file.duckdb", READER_MB, 1))
        with closing(engine):
            create_tables(engine.con)
            if source.packing == "parquet":
                load_parquet(engine.con, source)
            else:
                load_lines(engine.con, [(source, read_pieces(source, SILENT))])
                name_unreadable(engine.con, [source])
            drop_faulty(engine.con)
            columns = ", ".join(
                f"CAST({column} AS {'VARCHAR' if kind == 'JSON' else kind}) AS {column}"
                for column, kind in FIELDS.values()
            )
            for query in (
                f"SELECT 'event' AS row, file_id, line, {columns} FROM loaded ORDER BY line",  # noqa: S608
                "SELECT 'dropped' AS row, * FROM dropped_lines ORDER BY line",
            ):
                for batch in engine.batches(query, BATCH):
                    yield _complete(batch)
            (last,) = engine.rows("SELECT max(at_ms) FROM loaded")[0]
    yield _row(
        "file",
        file_id=source.file_id,
        line=source.lines,
        at_ms=last,
        reason=source.checksum,
        is_cut=source.is_cut,
    )


def _row(row: str, **columns: Any) -> pa.RecordBatch:
    return _complete(pa.RecordBatch.from_pylist([{"row": row, **columns}]))


def _complete(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Add the columns that are missing, all NULL."""
    there = set(batch.schema.names)
    columns = [
        batch.column(part.name).cast(part.type)
        if part.name in there
        else pa.nulls(batch.num_rows, part.type)
        for part in READ
    ]
    return pa.record_batch(columns, schema=READ)


def load_on_spark(
    engine: SparkEngine, sources: Sequence[EventFile], progress: Progress = SILENT
) -> None:
    """Make the views that `duckdb_loader.load` makes as tables.

    Args:
        engine: Of the session.
        sources: The files to read, as the driver found them. Executors must find them at the same
            paths or URLs.
        progress: Shows that the files are read.

    Raises:
        InputError: A file cannot be read, or is no log at all.
    """
    progress.start("reading")
    last_ms = _read_all(engine, sources)
    progress.start("checking")
    _drop_lines(engine, sources, last_ms)
    _list_files(engine, sources)
    if read_assignments(engine):
        _drop_more(engine, "wrong_lines", WRONG_EXPERIMENTS)
    for query in (*read_named("events", "log_span"), *read_named("events", "written_ids")):
        engine.create(query)
    ends = list_ends(sources)
    engine.add("file_ends", table_of(ends, file_id=pa.int32(), lines=pa.int64(), last=pa.string()))


def _read_all(engine: SparkEngine, sources: Sequence[EventFile]) -> dict[int, int | None]:
    """Read every file; fills in what is known of each, and makes `loaded` and `dropped_lines`.

    Returns:
        File -> time of its last event.
    """
    files = [(source.file_id, str(source.path), source.packing, source.size) for source in sources]
    context = engine.session.sparkContext
    # A task reads its files one after the other. Small files share a task: each task of each later
    # query costs some milliseconds.
    tasks = max(context.defaultParallelism, sum(source.size for source in sources) // TASK_BYTES)
    names = "file_id INT, path STRING, packing STRING, size BIGINT"
    frame = engine.session.createDataFrame(
        context.parallelize(files, min(tasks, len(files))), names
    )
    engine.name_frame("read_rows", map_in_arrow(frame, FileReader(), READ))
    by_id = {source.file_id: source for source in sources}
    last_ms: dict[int, int | None] = {}
    for row, file_id, lines, last, text, is_cut in engine.rows(
        "SELECT row, file_id, line, at_ms, reason, is_cut FROM read_rows "
        "WHERE row IN ('file', 'fault') ORDER BY file_id"
    ):
        if row == "fault":
            raise InputError.one(*orjson.loads(text))
        source = by_id[file_id]
        source.lines, source.checksum, source.is_cut = lines or 0, text, bool(is_cut)
        last_ms[file_id] = last
    columns = ", ".join(f'"{name}"' for name in COLUMNS.names)
    events = f"SELECT {columns} FROM read_rows WHERE row = 'event'"  # noqa: S608
    if packed := [source for source in sources if is_read_by_spark(source)]:
        read_parquet(engine, packed)
        events += f" UNION ALL SELECT {columns} FROM parquet_rows"  # noqa: S608
    engine.create(NamedQuery("view", "loaded", events))
    dropped = "SELECT file_id, line, reason FROM read_rows WHERE row = 'dropped'"
    engine.create(NamedQuery("view", "dropped_lines", dropped))
    return last_ms


def _drop_lines(
    engine: SparkEngine, sources: Sequence[EventFile], last_ms: Mapping[int, int | None]
) -> None:
    """Name the tails of killed servers, then drop copies of files and repeated lines."""
    tails = [
        (source.file_id, source.lines)
        for source in sources
        if source.is_cut and ends_unacknowledged(source.path, last_ms[source.file_id])
    ]
    if tails:
        engine.add("tails", table_of(tails, file_id=pa.int32(), line=pa.int64()))
        renamed = """SELECT d.file_id, d.line, CASE
                WHEN t.line IS NOT NULL AND d.reason IN ('torn line', 'not UTF-8') THEN ?
                ELSE d.reason END AS reason
            FROM dropped_lines AS d
            LEFT JOIN tails AS t ON d.file_id = t.file_id AND d.line = t.line"""
        engine.create(NamedQuery("view", "dropped_lines", renamed), [UNACKNOWLEDGED])
    first: dict[str, int] = {}
    copies = [
        (source.file_id,)
        for source in sources
        if first.setdefault(source.checksum, source.file_id) != source.file_id and source.lines
    ]
    if copies:
        engine.add("copies", table_of(copies, file_id=pa.int32()))
        copied = (
            "SELECT file_id, line, 'copy of another file' AS reason FROM loaded "
            "WHERE file_id IN (SELECT file_id FROM copies)"
        )
        _drop_more(engine, "copied_lines", copied)
    suspects, repeated = duplicate_queries()
    engine.create(suspects)
    _drop_more(engine, repeated.name, repeated.text)
    engine.drop(suspects.name)


def _drop_more(engine: SparkEngine, name: str, query: str) -> None:
    """Drop the lines of a query (file_id, line, reason) from `loaded`."""
    engine.create(NamedQuery("table", name, query))
    if not engine.rows(f"SELECT 1 FROM {name} LIMIT 1"):  # noqa: S608
        return
    engine.remove("loaded", name, ("file_id", "line"))
    both = f"SELECT * FROM dropped_lines UNION ALL SELECT * FROM {name}"  # noqa: S608
    engine.create(NamedQuery("view", "dropped_lines", both))


def _list_files(engine: SparkEngine, sources: Sequence[EventFile]) -> None:
    found = engine.rows(
        'SELECT file_id, bool_or("schema" IS NOT NULL) FROM loaded GROUP BY file_id'
    )
    ours = {file_id for file_id, is_ours in found if is_ours}
    rows = rows_of_files(sources, ours)
    kinds = {"file_id": pa.int32(), "path": pa.string(), "format": pa.string()}
    engine.add("files", table_of(rows, **kinds, lines=pa.int64(), checksum=pa.string()))
