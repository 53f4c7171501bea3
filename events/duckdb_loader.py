"""The loader: event files into tables of DuckDB, the part of the reader that is specific to it.

DuckDB gets lines as Arrow text, parses them on all cores, and keeps them in one table on disk.
An unusual line keeps its text, so that a check can name what is wrong with it.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import orjson
import pyarrow as pa

from core.errors import InputError
from core.progress import Progress
from events.duckdb_engine import DuckDbEngine
from events.event_files import EventFile, checksum_of, read_pieces, rows_of_files
from events.file_ends import list_ends
from events.line_validation import (
    LATEST_MS,
    delete_dropped,
    drop_duplicates,
    drop_faulty,
    name_unacknowledged_tails,
)
from events.queries import read_named, read_query
from events.query_engine import QueryEngine
from events.url_path import on_disk

FIELDS = {
    # field of a line -> (column, type)
    "message": ("message", "VARCHAR"),
    "timestamp": ("at_ms", "BIGINT"),
    "user": ('"user"', "VARCHAR"),
    "track": ("track", "VARCHAR"),
    "time": ('"time"', "DOUBLE"),
    "latency": ("latency_s", "DOUBLE"),
    "recommendation": ("recommendation", "VARCHAR"),
    "experiments": ("experiments", "JSON"),
    "schema": ('"schema"', "INTEGER"),
    "decision": ("decision", "VARCHAR"),
    "session": ("session", "VARCHAR"),
    "turn": ("turn", "BIGINT"),
    "strategy": ("strategy", "VARCHAR"),
    "answered_by": ("answered_by", "VARCHAR"),
    "depth": ("depth", "INTEGER"),
    "propensity": ("propensity", "DOUBLE"),
    "candidates": ("candidates", "INTEGER"),
    "config": ("config", "VARCHAR"),
    "forced": ("forced", "BOOLEAN"),
    "asked": ("asked", "JSON"),
    "seat": ("seat", "BOOLEAN"),
    "degraded": ("degraded", "BOOLEAN"),
    "failed": ("failed", "JSON"),
    "filter": ('"filter"', "JSON"),
    "attributes": ("attributes", "JSON"),
    "key": ('"key"', "VARCHAR"),
    "reset": ('"reset"', "BOOLEAN"),
    "n": ("n", "INTEGER"),
    "recommendations": ("recommendations", "JSON"),
    "exclude": ("exclude", "JSON"),
    "took_us": ("took_us", "DOUBLE"),
}

MEMORY_MB = 500
"""Memory that DuckDB may use unless a caller says otherwise: verifying ten million events then
took 888 MB for the whole process, and 1,014 MB with 600."""

_SET_COMPRESSION = "SET disabled_compression_methods = '{}'"
"""Stronger compression of ids costs more time than it saves when they are read again."""

LOG_SPAN_STEPS = ("edges", "file_ends_ms", "file_spans")
"""Tables of `log_span.sql` that nobody needs afterwards."""

_DIFFERENT = frozenset({'"user"', "track", "recommendation", "decision", "session"})
"""Columns of text with many different values. DuckDB keeps any other text once for each value, and
compares its number: a million lines take half the disk, and queries by arm a third of the time."""

_STRUCTURE = orjson.dumps({field: kind for field, (_, kind) in FIELDS.items()}).decode()

_BOUNDS = {
    "latency": 't."latency" BETWEEN 0 AND 1e6',
    "took_us": 't."took_us" BETWEEN 0 AND 1e12',
}
"""Values outside these bounds become NULL; the line is kept."""

_COLUMNS = ", ".join(
    (
        f'CASE WHEN {_BOUNDS[field]} THEN t."{field}" END AS {column}'
        if field in _BOUNDS
        else f't."{field}" AS {column}'
    )
    for field, (column, _) in FIELDS.items()
)


def database(path: Path, memory_mb: int, threads: int | None) -> duckdb.DuckDBPyConnection:
    """Open a new DuckDB on disk, so that the data need not fit into memory."""
    con = duckdb.connect(str(path))
    con.execute(f"SET memory_limit = '{memory_mb}MB'")
    con.execute("SET preserve_insertion_order = false")
    con.execute("SET enable_progress_bar = false")
    con.execute(_SET_COMPRESSION.format("fsst,dict_fsst,zstd"))
    if threads is not None:
        con.execute(f"SET threads = {threads}")
    return con


def load(
    engine: DuckDbEngine,
    sources: Sequence[EventFile],
    progress: Progress,
    keep_duplicates: bool = False,
) -> None:
    """Fill the tables `files`, `loaded`, `assignments`, `dropped_lines`, `odd_stamps`, `log_span`,
    `written_ids` and `file_ends`.

    Args:
        engine: Over a connection from `database`.
        sources: The files to read.
        progress: Shows the bytes read.
        keep_duplicates: Whether files and decisions that are there twice are kept.

    Raises:
        InputError: A file cannot be read, or is no log at all.
    """
    con = engine.con
    create_tables(con)
    texts = [source for source in sources if source.packing != "parquet"]
    progress.start("reading", sum(source.size for source in sources))
    if texts:
        pieces = ((source, read_pieces(source, progress)) for source in texts)
        load_lines(con, pieces)
        name_unreadable(con, texts)
    for source in sources:
        if source.packing == "parquet":
            load_parquet(con, source)
            progress.advance(source.size)
    progress.start("checking")
    drop_faulty(con)
    name_unacknowledged_tails(con, texts)
    if not keep_duplicates:
        drop_duplicates(engine, sources)
    describe_loaded(engine, sources)


def create_tables(con: duckdb.DuckDBPyConnection) -> None:
    """Create `loaded` and `dropped_lines`, without a row."""
    con.execute("CREATE TABLE dropped_lines (file_id INTEGER, line BIGINT, reason VARCHAR)")
    plain = " USING COMPRESSION 'uncompressed'"
    columns = ", ".join(
        f"{column} {kind}{plain if column in _DIFFERENT else ''}"
        for column, kind in FIELDS.values()
    )
    con.execute(
        f"CREATE TABLE loaded (file_id INTEGER, line BIGINT, {columns}, raw VARCHAR{plain})"
    )


def describe_loaded(engine: DuckDbEngine, sources: Sequence[EventFile]) -> None:
    """Fill the tables that say what the lines in `loaded` are: files, arms, span, ids and ends."""
    con = engine.con
    _list_files(con, sources)
    parse_assignments(engine)
    for query in (*read_named("events", "log_span"), *read_named("events", "written_ids")):
        engine.create(query)
    for step in LOG_SPAN_STEPS:
        engine.drop(step)
    _list_ends(con, sources)


def load_lines(
    con: duckdb.DuckDBPyConnection, pieces: Iterable[tuple[EventFile, Iterable[bytes]]]
) -> None:
    """Parse the lines of files into `loaded`; each piece of a file has whole lines only."""
    failed: list[BaseException] = []
    schema = pa.schema([("file_id", pa.int32()), ("line", pa.int64()), ("text", pa.string())])

    def guarded() -> Iterator[pa.RecordBatch]:
        # DuckDB turns an error into text, so the error itself is kept and raised afterwards.
        try:
            for source, contents in pieces:
                yield from _batches(source, contents, schema)
        except BaseException as error:
            failed.append(error)

    con.register("incoming", pa.RecordBatchReader.from_batches(schema, guarded()))
    values = {"columns": _COLUMNS, "structure": _STRUCTURE, "latest_ms": LATEST_MS}
    con.execute(_SET_COMPRESSION.format("fsst,zstd"))  # but see _DIFFERENT
    con.execute(read_query("events", "load_lines").format(**values))
    con.execute(_SET_COMPRESSION.format("fsst,dict_fsst,zstd"))
    con.unregister("incoming")
    if failed:
        raise failed[0]


def name_unreadable(con: duckdb.DuckDBPyConnection, sources: Sequence[EventFile]) -> None:
    """Name the lines that are not even text."""
    lost = [(s.file_id, line, reason) for s in sources for line, reason in s.unreadable]
    if lost:
        _insert(con, "dropped_lines", lost)


def _batches(
    source: EventFile, contents: Iterable[bytes], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    for content in contents:
        ends = np.flatnonzero(np.frombuffer(content, dtype=np.uint8) == 10).astype(np.int32) + 1
        if not len(ends) or ends[-1] != len(content):
            ends = np.append(ends, np.int32(len(content)))
        offsets = np.concatenate([np.zeros(1, np.int32), ends])
        numbers = np.arange(source.lines + 1, source.lines + 1 + len(ends), dtype=np.int64)
        source.lines += len(ends)
        try:
            if not content.isascii():
                content.decode()
            texts = pa.StringArray.from_buffers(
                len(ends), pa.py_buffer(offsets), pa.py_buffer(content)
            )
        except UnicodeDecodeError:
            kept, decoded = [], []
            for place, number in enumerate(numbers.tolist()):
                try:
                    decoded.append(content[offsets[place] : offsets[place + 1]].decode())
                    kept.append(place)
                except UnicodeDecodeError:
                    source.unreadable.append((number, "not UTF-8"))
            texts = pa.array(decoded, pa.string())
            numbers = numbers[kept]
        files = pa.array(np.full(len(numbers), source.file_id, dtype=np.int32))
        yield pa.record_batch([files, pa.array(numbers), texts], schema=schema)


NEVER_NULL = frozenset({"message", "at_ms", "user"})
"""Columns that every event has; a Parquet file without them is no log."""


def load_parquet(con: duckdb.DuckDBPyConnection, source: EventFile) -> None:
    """Add the events of a Parquet file to `loaded`.

    Raises:
        InputError: It is no Parquet of ours.
    """
    with on_disk(source.path) as path:
        _load_parquet(con, source, str(path))
        source.checksum = checksum_of(path)


def _load_parquet(con: duckdb.DuckDBPyConnection, source: EventFile, path: str) -> None:
    where = str(source.path)
    try:
        there = {
            name
            for name, *_ in con.execute(
                "DESCRIBE SELECT * FROM read_parquet(?, hive_partitioning = false)", [path]
            ).fetchall()
        }
        if missing := sorted(NEVER_NULL - there):
            raise InputError.one(
                where,
                f"is not Parquet that `segue logs compact` wrote: it has no {', '.join(missing)}",
            )
        columns = ", ".join(
            f"CAST({column} AS {kind})" if column.strip('"') in there else "NULL"
            for column, kind in FIELDS.values()
        )
        con.execute(
            f"INSERT INTO loaded SELECT ?, file_row_number + 1, {columns}, NULL "  # noqa: S608
            "FROM read_parquet(?, hive_partitioning = false, file_row_number = true)",
            [source.file_id, path],
        )
    except duckdb.Error as error:
        raise InputError.one(
            where, f"is not Parquet that `segue logs compact` wrote: {str(error).splitlines()[0]}"
        ) from error
    empty = con.execute(
        "SELECT count(*) FROM loaded WHERE file_id = ? "
        'AND (message IS NULL OR at_ms IS NULL OR "user" IS NULL)',
        [source.file_id],
    ).fetchone()
    if empty and empty[0]:
        raise InputError.one(where, "is damaged: events lack their time, their listener or both")
    found = con.execute("SELECT num_rows FROM parquet_file_metadata(?)", [path]).fetchone()
    source.lines = found[0] if found else 0


def _insert(con: duckdb.DuckDBPyConnection, table: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Add all rows by one statement; one statement for each row takes a millisecond."""
    columns = [pa.array(column) for column in zip(*rows, strict=True)]
    con.register("added", pa.table(columns, names=[f"c{place}" for place in range(len(columns))]))
    con.execute(f"INSERT INTO {table} SELECT * FROM added")  # noqa: S608
    con.unregister("added")


def _list_files(con: duckdb.DuckDBPyConnection, sources: Sequence[EventFile]) -> None:
    con.execute(
        "CREATE TABLE files (file_id INTEGER, path VARCHAR, format VARCHAR, lines BIGINT, "
        "checksum VARCHAR)"
    )
    ours = {
        file_id
        for (file_id,) in con.execute(
            'SELECT DISTINCT file_id FROM loaded WHERE "schema" IS NOT NULL'
        ).fetchall()
    }
    _insert(con, "files", rows_of_files(sources, ours))


def _list_ends(con: duckdb.DuckDBPyConnection, sources: Sequence[EventFile]) -> None:
    con.execute("CREATE TABLE file_ends (file_id INTEGER, lines BIGINT, last VARCHAR)")
    ends = list_ends(sources)
    if ends:
        _insert(con, "file_ends", ends)


def read_assignments(engine: QueryEngine) -> bool:
    """Parse each distinct `experiments` object once, not the object of each line.

    Makes the tables `assignments`, and `wrong_experiments` of texts that are no object.

    Returns:
        Whether there is such a text.
    """
    wrong: list[str] = []
    rows: list[tuple[str, str, str]] = []
    for (text,) in engine.rows(
        "SELECT DISTINCT experiments FROM loaded WHERE experiments IS NOT NULL ORDER BY 1"
    ):
        arms = orjson.loads(text)
        if isinstance(arms, dict):
            rows += [(text, name, str(arm)) for name, arm in arms.items()]
        else:
            wrong.append(text)
    names = ("experiments", "experiment", "arm")
    columns = [pa.array([row[place] for row in rows], pa.string()) for place in range(3)]
    engine.add("assignments", pa.table(columns, names=names))
    engine.add("wrong_experiments", pa.table({"experiments": pa.array(wrong, pa.string())}))
    return bool(wrong)


def parse_assignments(engine: DuckDbEngine) -> None:
    """Make `assignments`, and drop the lines whose `experiments` is no object."""
    if read_assignments(engine):
        engine.con.execute(f"INSERT INTO dropped_lines {WRONG_EXPERIMENTS}")
        delete_dropped(engine.con)
    engine.drop("wrong_experiments")


WRONG_EXPERIMENTS = (
    "SELECT file_id, line, 'wrong type: experiments' AS reason FROM loaded "
    "WHERE experiments IN (SELECT experiments FROM wrong_experiments)"
)
