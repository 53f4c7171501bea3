"""A Spark session for tests: two threads, small partitions, and a Java that begins quickly."""

import duckdb
import pytest

from events.duckdb_engine import DuckDbEngine
from events.query_engine import QueryEngine
from events.spark_session import STACK, SparkOptions, start_session
from tests import needs

MARKS = [
    needs.package("pyspark"),
    needs.program("java"),
    pytest.mark.xdist_group("spark"),  # one session, and one Java, for all of them
]
"""Marks of a test that runs Spark."""

SPARK = SparkOptions(
    conf={
        # Small logs: one partition, no plan that adapts, and no code that is compiled.
        "spark.sql.shuffle.partitions": "1",
        "spark.default.parallelism": "1",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.driver.memory": "1g",
        "spark.driver.extraJavaOptions": f"{STACK} -XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    }
)

ENGINES = ["duckdb", pytest.param("spark", marks=MARKS)]
"""The engines, as parameters of a fixture or a test."""


def opened_engine(name: str) -> QueryEngine:
    """Open an engine without tables."""
    if name == "duckdb":
        return DuckDbEngine(duckdb.connect())
    from events.spark_engine import SparkEngine

    return SparkEngine(start_session(SPARK))
