"""A standalone Spark cluster on this machine: a master and workers as processes, for tests."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from time import monotonic, sleep
from typing import Any

import pyspark

ROOT = Path(__file__).parents[1]
HOME = Path(pyspark.__file__).parent
PACE_S = 0.1
MOST_S = 300
"""Longest wait for anything: CI machines are slow, and a wait ends as soon as it can."""
MEMORY = "512m"
QUICK_START = "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"
"""For a JVM that lives for seconds: no second compiler, which took half of its time."""
PYTHON = {
    # Executors run where the worker says; they need our modules and our packages.
    "PYTHONPATH": str(ROOT),
    "PYSPARK_PYTHON": sys.executable,
    "SPARK_LOCAL_IP": "127.0.0.1",
    "SPARK_DAEMON_MEMORY": "256m",
    "SPARK_DAEMON_JAVA_OPTS": QUICK_START,
    "SPARK_HOME": str(HOME),
}


@dataclass(slots=True)
class Cluster:
    """A running cluster.

    Attributes:
        folder: Folder for logs and for what the executors write.
        port: Port of the master.
        page: Port of the master's page.
        workers: The worker processes.
    """

    folder: Path
    port: int
    page: int
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def master(self) -> str:
        """The address for `--master`."""
        return f"spark://127.0.0.1:{self.port}"

    def state(self) -> Any:
        """Give what the master knows of workers and applications."""
        return _read_json(f"http://127.0.0.1:{self.page}/json/")

    def start_worker(self) -> None:
        """Start a worker."""
        work = self.folder / f"worker-{len(list(self.folder.glob('worker-*.log')))}"
        worker = _start(self.folder, work.name, [
            "org.apache.spark.deploy.worker.Worker", "--host", "127.0.0.1", "--cores", "1",
            "--memory", "1g", "--webui-port", "0", "--work-dir", str(work), self.master,
        ])  # fmt: skip
        self.workers.append(worker)

    def wait_for_workers(self, workers: int) -> None:
        """Wait until the master knows so many."""
        wait_until(lambda: (self.state() or {}).get("aliveworkers") == workers, self.workers)

    def kill_worker(self) -> None:
        """Kill the oldest worker with its executors, as if its machine lost power."""
        worker = self.workers.pop(0)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()


@contextmanager
def running_cluster(folder: Path, workers: int = 2) -> Iterator[Cluster]:
    """Start a cluster, and stop all of it in the end."""
    cluster = Cluster(folder, _free_port(), _free_port())
    master = [
        "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port",
        str(cluster.port), "--webui-port", str(cluster.page),
    ]  # fmt: skip
    processes = [_start(folder, "master", master)]
    try:
        wait_until(lambda: cluster.state() is not None, processes)
        for _ in range(workers):
            cluster.start_worker()
        cluster.wait_for_workers(workers)
        yield cluster
    finally:
        for process in [*processes, *cluster.workers][::-1]:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


class Driver:
    """`segue` commands in one Spark session on a cluster, one after the other.

    Args:
        cluster: The cluster.
    """

    def __init__(self, cluster: Cluster) -> None:
        page = _free_port()
        self._options = _options(cluster, page)
        self._base = f"http://127.0.0.1:{page}/api/v1/applications"
        self._tasks_before = 0
        self._errors = cluster.folder / "driver.log"
        with self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.spark_driver"], cwd=ROOT,
                env={**os.environ, **PYTHON}, text=True, start_new_session=True,
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors,
            )  # fmt: skip

    def begin(self, *arguments: object) -> None:
        """Begin a command."""
        self._tasks_before = self._completed()
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps([*map(str, arguments), *self._options]) + "\n")
        self.process.stdin.flush()

    def tasks(self) -> int:
        """Count the tasks that executors have completed for this command."""
        return self._completed() - self._tasks_before

    def result(self) -> tuple[int, str]:
        """Wait for the command's end; give exit code and standard output."""
        assert self.process.stdout is not None
        assert select.select([self.process.stdout], [], [], MOST_S)[0], "waited too long"
        line = self.process.stdout.readline()
        assert line, self._errors.read_text()[-4000:]
        code, out = json.loads(line)
        assert out, self._errors.read_text()[-4000:]
        return code, out

    def stop(self) -> None:
        """Stop the process."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.process.wait()

    def _completed(self) -> int:
        """Count all completed tasks, those of dead executors too; 0 before Spark has begun."""
        if not (found := _read_json(self._base)):
            return 0
        executors = _read_json(f"{self._base}/{found[0]['id']}/allexecutors") or []
        return sum(executor["completedTasks"] for executor in executors)


@contextmanager
def driving(cluster: Cluster) -> Iterator[Driver]:
    """Run commands on the cluster during the block."""
    driver = Driver(cluster)
    try:
        yield driver
    finally:
        driver.stop()


def _options(cluster: Cluster, page: int) -> list[str]:
    settings = {
        "spark.ui.enabled": "true",
        "spark.ui.port": str(page),
        "spark.driver.memory": MEMORY,
        "spark.executor.memory": MEMORY,
        # Small logs: few partitions, no plan that adapts, and no code that is compiled.
        "spark.sql.shuffle.partitions": "2",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.codegen.wholeStage": "false",
        "spark.sql.codegen.factoryMode": "NO_CODEGEN",
        "spark.driver.extraJavaOptions": QUICK_START,
        "spark.executor.extraJavaOptions": QUICK_START,
        "spark.local.dir": str(cluster.folder / "driver"),
    }
    confs = [text for key, value in settings.items() for text in ("--conf", f"{key}={value}")]
    return ["--engine", "spark", "--master", cluster.master, *confs]


def wait_until(holds: Callable[[], bool], processes: Sequence[subprocess.Popen[Any]]) -> None:
    """Wait for a condition, as long as the processes that should bring it about run."""
    until = monotonic() + MOST_S
    while not holds():
        assert all(process.poll() is None for process in processes), "a process ended early"
        assert monotonic() < until, "waited too long"
        sleep(PACE_S)


def _start(folder: Path, name: str, command: Sequence[str]) -> subprocess.Popen[bytes]:
    with (folder / f"{name}.log").open("wb") as log:
        return subprocess.Popen(
            [str(HOME / "bin" / "spark-class"), *command], env={**os.environ, **PYTHON},
            stdout=log, stderr=log, start_new_session=True,
        )  # fmt: skip


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _read_json(url: str) -> Any:
    """Read JSON; None while nobody answers."""
    try:
        with urllib.request.urlopen(url, timeout=60) as answer:
            return json.load(answer)
    except (OSError, ValueError):
        return None
