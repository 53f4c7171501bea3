"""The tables of parts: Parquet files, which both engines write and read."""

from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.moments.moments import Part
from core.errors import InputError
from events.duckdb_engine import DuckDbEngine
from events.queries import NamedQuery
from events.query_engine import QueryEngine

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

    from events.spark_engine import SparkEngine


def write_table(engine: QueryEngine, query: str, path: Path) -> None:
    """Write the rows of a query: DuckDB as one file, Spark as a folder with a file of each task.

    Neither brings the rows together in memory.

    Raises:
        InputError: The executors of Spark write to a folder that this machine does not see.
    """
    if isinstance(engine, DuckDbEngine):
        text = _quoted(str(path))
        engine.con.execute(f"COPY ({query}) TO {text} (FORMAT parquet, COMPRESSION zstd)")
        return
    from events.spark_engine import SparkEngine

    assert isinstance(engine, SparkEngine)
    _write_on_spark(engine, query, path)


def read_table(engine: QueryEngine, name: str, parts: Sequence[Part]) -> None:
    """Make the view `kept_NAME`: the rows of a table in all parts.

    `files_before` is the number of files in the parts before, so that files are numbered over all.
    """
    before = [sum(len(each.files) for each in parts[:place]) for place in range(len(parts))]
    paths = [part.folder / f"{name}.parquet" for part in parts]
    if isinstance(engine, DuckDbEngine):
        queries = [
            f"SELECT *, {files} AS files_before FROM read_parquet({_quoted(_pattern(path))})"  # noqa: S608
            for path, files in zip(paths, before, strict=True)
        ]
        engine.create(NamedQuery("view", f"kept_{name}", " UNION ALL BY NAME ".join(queries)))
        return
    from events.spark_engine import SparkEngine

    assert isinstance(engine, SparkEngine)
    engine.name_frame(f"kept_{name}", _on_spark(engine, paths, before), is_kept=False)


def _write_on_spark(engine: "SparkEngine", query: str, path: Path) -> None:
    """Let executors write, and count what they say that they wrote."""
    from pyspark.sql import Observation
    from pyspark.sql import functions as f

    written = Observation()
    frame = engine.frame(query).observe(written, f.count(f.lit(1)).alias("rows"))
    frame.write.option("compression", "zstd").parquet(str(path.resolve()))
    check_rows(path, written.get["rows"])


def check_rows(path: Path, written: int) -> None:
    """Count the rows that have come: Spark itself notices no folder that is not shared.

    Raises:
        InputError: There are fewer than executors wrote.
    """
    from pyarrow import parquet

    found = sum(parquet.read_metadata(file).num_rows for file in path.glob("*.parquet"))
    if found != written:
        raise InputError.one(
            str(path.parent.parent),
            f"must be a folder that all machines of the cluster see, has {found:,} of "
            f"{written:,} rows that executors wrote. Name a shared folder",
        )


def _on_spark(engine: "SparkEngine", paths: Sequence[Path], before: Sequence[int]) -> "DataFrame":
    from pyspark.sql import functions as f

    from events.spark_parquet import escape_path

    frames: list[DataFrame] = []
    for path, files in zip(paths, before, strict=True):
        reader = engine.session.read
        if frames:  # known columns need no job that looks for them
            reader = reader.schema(frames[0].drop("files_before").schema)
        frame = reader.parquet(escape_path(str(path.resolve())))
        frames.append(frame.withColumn("files_before", f.lit(files)))
    return reduce(lambda one, two: one.unionByName(two), frames)


def _pattern(path: Path) -> str:
    return f"{path}/*.parquet" if path.is_dir() else str(path)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
