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
from tests.nearly_equal import differences
from tests.service import loaded
from tests.spark_cluster import Cluster, Driver, driving, running_cluster, wait_until


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


@pytest.fixture(scope="module")
def driver(cluster: Cluster) -> Iterator[Driver]:
    with driving(cluster) as begun:
        yield begun


def on_this_machine(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(main.build(), [str(argument) for argument in arguments])
    return done.exit_code, done.stdout


def without_effort(code: int, text: str) -> list[Any]:
    """Leave out what a run costs and how it was started; all else must be equal."""
    content = json.loads(text)
    if isinstance(content, dict):  # `verify` prints a list, of results alone
        for effort in ("seconds", "peaks_mb"):
            content.pop(effort, None)
        content.get("provenance", {}).pop("command", None)
    return [code, content]


@needs.package("pyspark")
@needs.program("java")
@pytest.mark.parametrize(
    ("command", "tasks"),
    [
        ("replay {log}", 1),
        ("verify {log}", 300),
        ("report {log} --no-replay --even-if-invalid", 500),
    ],
)
def test_a_cluster_gives_the_result_of_one_machine_though_a_worker_dies(
    command: str, tasks: int, cluster: Cluster, driver: Driver, log: Path
) -> None:
    arguments = [*(word.format(log=log) for word in command.split()), "--json"]
    while len(cluster.workers) < 2:
        cluster.start_worker()
    cluster.wait_for_workers(2)
    driver.begin(*arguments)
    wait_until(lambda: driver.tasks() >= tasks, [driver.process])
    cluster.kill_worker()
    found = driver.result()
    assert cluster.state()["aliveworkers"] == 1

    expected = on_this_machine(*arguments)
    assert list(differences(without_effort(*expected), without_effort(*found), command)) == []
