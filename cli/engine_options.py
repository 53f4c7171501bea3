"""Options that choose the query engine: DuckDB on this machine, or Spark."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from core.errors import Faults

if TYPE_CHECKING:
    from events.spark_session import SparkOptions

EngineOption = Annotated[
    str,
    typer.Option("--engine", help="duckdb: on this machine. spark: on Apache Spark, for logs "
                 "that one machine cannot hold; the results are the same."),
]  # fmt: skip
MasterOption = Annotated[
    str | None,
    typer.Option(
        "--master",
        help="Spark's master, such as spark://HOST:7077; by default that of spark-submit, or "
        "local[2]. Only with --engine spark.",
    ),
]
ConfOption = Annotated[
    list[str] | None,
    typer.Option("--conf", help="A setting of Spark, spark.KEY=VALUE; repeatable."),
]


def parse_engine(
    engine: str, master: str | None, conf: Sequence[str] | None
) -> "SparkOptions | None":
    """Read the options; None is DuckDB.

    Raises:
        InputError: The engine is unknown, or an option is given that it does not have.
    """
    from events.spark_session import SparkOptions, parse_conf

    faults = Faults()
    settings = parse_conf(conf or (), faults)
    if engine not in ("duckdb", "spark"):
        faults.add("--engine", f"must be duckdb or spark, got '{engine}'")
    if engine == "duckdb" and (master is not None or conf):
        faults.add("--engine", "must be spark for --master and --conf, got duckdb. Add it")
    faults.raise_if_any()
    return SparkOptions(master, settings) if engine == "spark" else None
