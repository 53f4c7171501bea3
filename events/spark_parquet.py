"""Compacted Parquet on Spark: the rows of every file, with the number of their file and line."""

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pyarrow as pa

from core.errors import InputError
from events.duckdb_loader import FIELDS, NEVER_NULL
from events.event_files import EventFile
from events.queries import NamedQuery
from events.query_engine import QueryError
from events.spark_engine import SparkEngine
from events.url_path import UrlPath

_KINDS = {"VARCHAR": "STRING", "JSON": "STRING"}


def is_read_by_spark(source: EventFile) -> bool:
    """Test whether Spark itself reads a file: Parquet on a disk that all its machines see.

    For most URLs Spark needs jars that it does not have; so our own reader reads those.
    """
    return source.packing == "parquet" and not isinstance(source.path, UrlPath)


def read_parquet(engine: SparkEngine, sources: Sequence[EventFile]) -> None:
    """Make the view `parquet_rows`, and fill in the number of lines of each file.

    Raises:
        InputError: A file is no Parquet of `segue logs compact`, or is damaged.
    """
    paths = [escape_path(str(source.path.resolve())) for source in sources]
    first = str(sources[0].path)
    reader = engine.session.read.option("mergeSchema", "true")
    frame = reader.option("recursiveFileLookup", "true").parquet(*paths)
    there = set(frame.columns)
    if missing := sorted(NEVER_NULL - there):
        raise InputError.one(
            first, f"is not Parquet that `segue logs compact` wrote: it has no {', '.join(missing)}"
        )
    columns = [
        f"CAST({column if column.strip(chr(34)) in there else 'NULL'} "
        f"AS {_KINDS.get(kind, kind)}) AS {column}"
        for column, kind in FIELDS.values()
    ]
    engine.name_frame(
        "parquet_files",
        frame.selectExpr("_metadata.file_path AS uri", "_metadata.row_index AS place", *columns),
        is_kept=False,
    )
    try:
        _number_files(engine, sources)
    except QueryError as error:
        raise InputError.one(
            first, f"is not Parquet that `segue logs compact` wrote: {error}"
        ) from error
    names = ", ".join(f"p.{column}" for column, _ in FIELDS.values())
    engine.create(
        NamedQuery(
            "table",
            "parquet_rows",
            f"SELECT n.file_id, CAST(p.place + 1 AS BIGINT) AS line, {names} "  # noqa: S608
            "FROM parquet_files AS p INNER JOIN parquet_names AS n ON p.uri = n.uri",
        )
    )


def _number_files(engine: SparkEngine, sources: Sequence[EventFile]) -> None:
    """Find the file of each URI, its lines, and whether it is damaged."""
    by_path = {source.path.resolve(): source for source in sources}
    names = []
    for uri, lines, whole in engine.rows(
        'SELECT uri, count(*), bool_and(message IS NOT NULL AND at_ms IS NOT NULL AND "user" IS '
        "NOT NULL) FROM parquet_files GROUP BY uri"
    ):
        source = by_path[Path(unquote(urlsplit(uri).path))]
        if not whole:
            raise InputError.one(
                str(source.path), "is damaged: events lack their time, their listener or both"
            )
        source.lines = lines
        names.append((uri, source.file_id))
    engine.add(
        "parquet_names",
        pa.table(
            {
                "uri": pa.array([uri for uri, _ in names], pa.string()),
                "file_id": pa.array([file_id for _, file_id in names], pa.int32()),
            }
        ),
    )


def escape_path(path: str) -> str:
    """Write a path so that Hadoop takes no character of it for a pattern."""
    return "".join(f"\\{each}" if each in "{}[]*?\\" else each for each in path)
