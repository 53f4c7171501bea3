"""Commands on a Spark cluster of processes: real sockets and shuffles, and a worker that dies."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from audit.synthetic_traffic import SyntheticTraffic
from cli import main
from tests import needs
from tests.service import loaded
from tests.spark_cluster import Cluster, driven, running_cluster, wait_until


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("played")
    with SyntheticTraffic(loaded(folder), folder / "log", rotate_mb=0.2) as trial:
        trial.play(range(200), 300)
    assert len(list((folder / "log").glob("*.jsonl"))) > 2
    return folder / "log"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with running_cluster(tmp_path_factory.mktemp("spark")) as started:
        yield started


def on_this_machine(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(main.build(), [str(argument) for argument in arguments])
    return done.exit_code, done.stdout


def without_effort(code: int, text: str) -> tuple[int, dict[str, Any]]:
    """Leave out what a run costs; all else must be equal."""
    content = json.loads(text)
    for effort in ("seconds", "peaks_mb"):
        content.pop(effort, None)
    return code, content


@needs.package("pyspark")
@needs.program("java")
def test_a_cluster_replays_as_one_machine_does_though_a_worker_dies(
    cluster: Cluster, log: Path
) -> None:
    with driven(cluster, "replay", log, "--json") as driver:
        wait_until(lambda: bool(driver.stages("complete")), [driver.process])
        cluster.kill_worker(0)
        found = driver.result()

    assert without_effort(*found) == without_effort(*on_this_machine("replay", log, "--json"))
