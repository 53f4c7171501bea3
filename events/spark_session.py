"""The Spark session: its settings, and what to do if Spark or Java is missing."""

import os
import shutil
import sys
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from core.errors import Faults, InputError
from events.stores import store_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MASTER = "local[2]"

STACK = "-Xss16m"

REQUIRED: Mapping[str, str] = {
    "spark.sql.ansi.enabled": "true",
    "spark.sql.ansi.doubleQuotedIdentifiers": "true",
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.caseSensitive": "false",
}
"""Settings that give our SQL the meaning that it has in DuckDB; nobody may change them."""

DEFAULTS: Mapping[str, str] = {
    "spark.app.name": "segue",
    "spark.ui.showConsoleProgress": "false",
    "spark.log.level": "ERROR",
    # Spark keeps a graph of each plan for its UI, with all plans that its tables were made of:
    # those of 700 queries took 700 MB of the driver.
    "spark.sql.ui.retainedExecutions": "20",
    # Events travel to Python in batches; a batch of so many lines is about 2 MB.
    "spark.sql.execution.arrow.maxRecordsPerBatch": "10000",
    # A fit of MLlib goes on from all its passes, and a task reads that chain by recursion: Java's
    # own stack of 1 MB overflows there now and then.
    "spark.driver.extraJavaOptions": STACK,
    "spark.executor.extraJavaOptions": STACK,
}
"""Settings that `--conf` may change."""

LOCAL_DEFAULTS: Mapping[str, str] = {
    "spark.driver.host": "127.0.0.1",
    "spark.driver.memory": "2g",
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "4",
}
"""Settings of `--master local[...]`, which `--conf` may change."""


@dataclass(frozen=True, slots=True)
class SparkOptions:
    """Options of a session.

    Attributes:
        master: Master of the cluster, as `spark-submit` knows it; `local[2]` is two threads here.
            None: the master that `spark-submit` gave, or `local[2]`.
        conf: Settings of Spark, which come after ours.
    """

    master: str | None = None
    conf: Mapping[str, str] = field(default_factory=dict)


def parse_conf(given: Iterable[str], faults: Faults) -> dict[str, str]:
    """Read settings `KEY=VALUE`; adds a fault for each text that is none, or that we need."""
    found = {}
    for text in given:
        key, equals, value = text.partition("=")
        if not equals or not key.strip().startswith("spark."):
            faults.add("--conf", f"must be spark.KEY=VALUE, got {text!r}")
        elif key.strip() in REQUIRED:
            faults.add(
                "--conf",
                f"must not change {key.strip()}: the results of Segue need "
                f"{REQUIRED[key.strip()]!r}. Leave it out",
            )
        found[key.strip()] = value.strip()
    return found


def start_session(options: SparkOptions) -> "SparkSession":
    """Start Spark, or take the session that runs in this process.

    Raises:
        InputError: pyspark or Java is missing, or Spark does not start.
    """
    check_programs()
    from pyspark.errors import PySparkException
    from pyspark.sql import SparkSession

    found = SparkSession.getActiveSession()
    if found is not None:
        for key, value in REQUIRED.items():
            found.conf.set(key, value)
        return _with_stores(found)
    # Executors would take the `python3` of their PATH, which may lack our packages.
    executable = options.conf.get("spark.pyspark.python", sys.executable)
    os.environ.setdefault("PYSPARK_PYTHON", executable)
    warnings.filterwarnings("ignore", "PySpark does not yet fully support pandas", FutureWarning)
    builder = SparkSession.builder
    submitted = "SPARK_ENV_LOADED" in os.environ  # by spark-submit, which has its own settings
    master = options.master or (None if submitted else MASTER)
    is_local = (master or "").startswith("local")
    chosen = {**DEFAULTS, **(LOCAL_DEFAULTS if is_local else {}), **options.conf, **REQUIRED}
    for key, value in chosen.items():
        builder = builder.config(key, value)
    if master is not None:
        builder = builder.master(master)
    try:
        return _with_stores(builder.getOrCreate())
    except (PySparkException, Exception) as error:  # py4j has errors of its own
        if isinstance(error, InputError):
            raise
        raise InputError.one(
            f"--master {master or ''}".strip(),
            f"must name a Spark that starts: {str(error).splitlines()[0]:.300}. "
            "Look at the master's address, and at the settings of --conf",
        ) from error


def _with_stores(session: "SparkSession") -> "SparkSession":
    """Let Python processes of this machine reach the object stores that this process reaches.

    The session may have started before a variable was set. Other machines have settings of their
    own: credentials do not travel unless `--conf spark.executorEnv.NAME=VALUE` says so.
    """
    context = session.sparkContext
    if (context.master or "").startswith("local"):
        context.environment.update(store_settings())
    return session


def check_programs() -> None:
    """Refuse to go on without pyspark or Java.

    Raises:
        InputError: One of them is missing.
    """
    import importlib.util

    if importlib.util.find_spec("pyspark") is None:
        raise InputError.one(
            "--engine spark",
            "needs the package pyspark, which is not installed. "
            "Install it with: pip install 'segue[spark]'",
        )
    if not has_java():
        raise InputError.one(
            "--engine spark",
            "needs Java 17 or newer, and there is no program java on the PATH and no JAVA_HOME. "
            "Install it, for instance: apt-get install openjdk-17-jre-headless",
        )


def has_java() -> bool:
    """Say whether Spark can find Java, as its own scripts look for it."""
    home = os.environ.get("JAVA_HOME")
    return (Path(home) / "bin" / "java").exists() if home else shutil.which("java") is not None
