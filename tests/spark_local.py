"""A Spark session for tests: two threads, small partitions, and a Java that begins quickly."""

import pytest

from events.spark_session import STACK, SparkOptions
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
