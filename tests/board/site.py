"""A server with a board in a process of its own, over a log that a small simulation played."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from time import time_ns
from typing import Any

import httpx
import orjson

from engine.runtime import Runtime
from simulator.play.in_process_runner import InProcessRunner
from simulator.recommenders.in_process import DAY_MS, DispatcherRecommender, open_log
from tests.played import lively_world
from tests.served import LISTENING
from tests.service import loaded
from tests.simulator.tiny import botify

EXPERIMENT = "fallback"
QUESTION = "Do popular tracks rescue a session after a skip?"
TOKEN = "a-token-of-the-tests"
DAYS = 3
SEED = 7
SLOTS = 64


@dataclass
class Site:
    """A folder with a config and a log, and the server of it.

    Attributes:
        folder: Has the config.
        port: The server's, the same after a restart.
        config: Name of the config file.
        options: Further options of `segue serve`.
        environment: Variables of the server's process.
        process: The server; None while it is down.
    """

    folder: Path
    port: int
    config: str = "config.yaml"
    options: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=lambda: {"SEGUE_ADMIN_TOKEN": TOKEN})
    process: subprocess.Popen[str] | None = None

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> Path:
        return self.folder / "log"

    def start(self) -> None:
        """Start the server, and wait until it listens."""
        command = [sys.executable, "-m", "cli", "serve", "--config", self.config]
        self.process = subprocess.Popen(
            [*command, "--port", str(self.port), *self.options],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stderr is not None
        shown = []
        for line in self.process.stderr:
            shown.append(line)
            if line.startswith(LISTENING):
                return
        self.end()
        raise AssertionError("".join(shown))

    def end(self, by: signal.Signals = signal.SIGINT) -> None:
        """End the server."""
        assert self.process is not None
        self.process.send_signal(by)
        self.process.communicate(timeout=60)
        self.process = None

    def turn(self, listener: int) -> None:
        """Take the first turn of a listener over HTTP."""
        httpx.post(
            f"{self.address}/recommend", json={"user": listener}, timeout=60
        ).raise_for_status()

    def events(self) -> list[dict[str, Any]]:
        """Read every line of the log."""
        files = self.log.glob("*.jsonl")
        return [orjson.loads(line) for path in files for line in path.read_bytes().splitlines()]

    def falsify(self) -> None:
        """Write a line whose arm is not the one that the hash gives its listener."""
        line = next(each for each in self.events() if each.get("experiments"))
        other = {"C": "T1", "T1": "C"}
        line["experiments"] = {name: other[arm] for name, arm in line["experiments"].items()}
        line["decision"] = "falsified-1"
        (self.log / "events-falsified.jsonl").write_bytes(orjson.dumps(line) + b"\n")


@contextmanager
def played_site(folder: Path, sessions: int = 200) -> Iterator[Site]:
    """Play so many sessions a day into the log of a new folder, and serve it."""
    with serving(Site(played(folder, sessions), free_port())) as site:
        yield site


def played(folder: Path, sessions: int) -> Path:
    """Play so many sessions a day into the log of a new folder."""

    def change(config: dict[str, Any]) -> None:
        (experiment,) = config["experiments"]
        experiment |= {"question": QUESTION, "planned": {"listeners": 1_000}}

    _play(loaded(folder, change), folder / "log", sessions)
    return folder


@contextmanager
def serving(site: Site) -> Iterator[Site]:
    """Run the server of a site."""
    site.start()
    try:
        yield site
    finally:
        if site.process is not None:
            site.end()


def _play(runtime: Runtime, folder: Path, sessions: int) -> None:
    """Play in this process; listeners come back on the days after."""
    world = lively_world()
    listeners = botify(world, SEED)
    log = open_log(runtime, folder)
    clock = count(time_ns() // 1_000_000 - DAYS * DAY_MS, 5_000)
    recommender = DispatcherRecommender(runtime, world, SEED, SLOTS, log, lambda: next(clock))
    for day in range(DAYS):
        InProcessRunner(listeners, recommender, SLOTS).play(listeners.plan_day(day, sessions))
    log.close()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port: int = listening.getsockname()[1]
        return port
