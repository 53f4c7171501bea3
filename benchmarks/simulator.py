"""What a simulated session costs: the vector core, in process through the dispatcher, over HTTP.

Run with `python -m benchmarks.simulator [--world FOLDER --config FILE --strategy NAME]`. Where
several jobs share the machine look at the CPU, not at the clock: a rate "of CPU" is what one core
would do alone. The server of the last rows is a process of its own, on the same cores.
"""

import argparse
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import perf_counter, process_time, sleep

import httpx
import yaml
from rich.console import Console
from rich.table import Table

from cli.simulation_plan import SimulationPlan, make_part, plan_of
from core.progress import SILENT

ROOT = Path(__file__).parents[1]
SESSIONS = {"random": 150_000, "popular": 150_000, "best": 8_000, "local": 10_000, "http": 3_000}


def main() -> None:
    """Measure and print."""
    asked = argparse.ArgumentParser(prog="python -m benchmarks.simulator")
    asked.add_argument("--world", type=Path, default=ROOT / "data")
    asked.add_argument("--config", type=Path, default=ROOT / "config.yaml")
    asked.add_argument("--strategy", default="contextual")
    options, _ = asked.parse_known_args()
    table = Table("recommender", "sessions", "us a request", "requests/s", "sessions/s", "of")
    for name in ("random", "popular", "best", f"local:{options.strategy}"):
        requests, sessions, spent, _ = _played(options, name)
        _add(table, name, requests, sessions, spent, "CPU")
    with _serving(options) as (url, server):
        before = _cpu_s(server)
        requests, sessions, spent, took = _played(options, url)
        served = _cpu_s(server) - before
    _add(table, "http, this side", requests, sessions, spent, "CPU")
    _add(table, "http, the server", requests, sessions, served, "CPU")
    _add(table, "http, both", requests, sessions, took, "the clock")
    Console(width=100).print(table)


def _played(options: argparse.Namespace, name: str) -> tuple[int, int, float, float]:
    """Requests, sessions, seconds of CPU, seconds on the clock."""
    plan = _plan(options, name)
    part = make_part(plan, 0, 0)
    kind = plan.recommenders[0].kind
    part.player.play(part.listeners.plan_day(1, 500), abs, lambda: False)  # warm
    sessions = part.listeners.plan_day(0, SESSIONS[kind])
    began, began_cpu = perf_counter(), process_time()
    outcome = part.player.play(sessions, abs, lambda: False)
    spent, took = process_time() - began_cpu, perf_counter() - began
    part.player.close()
    assert not outcome.given_up, outcome.errors
    asked = outcome.requests + (
        len(outcome.sessions) if kind == "local" else 0
    )  # and final feedback
    return asked, len(outcome.sessions), spent, took


def _plan(options: argparse.Namespace, name: str) -> SimulationPlan:
    return plan_of(
        world=options.world,
        files=(None, None, None),
        top=None,
        listener="classic",
        seed=31337,
        config=options.config,
        api="segue",
        processes=1,
        connections=32,
        timeout_s=60.0,
        max_steps=1000,
        log=None,
        keep_truth=False,
        recommenders=(name,),
        is_pair=False,
        progress=SILENT,
    )


@contextmanager
def _serving(options: argparse.Namespace) -> Iterator[tuple[str, int]]:
    """A server of the same config, everybody under one strategy; gives address and process id."""
    settings = yaml.safe_load(options.config.read_text())
    section = settings["catalog"]
    for key in ("tracks", "top"):
        section[key] = str(options.config.parent.resolve() / section[key])
    section["lists"] = {
        name: str(options.config.parent.resolve() / path) for name, path in section["lists"].items()
    }
    settings |= {"default": options.strategy, "experiments": []}
    with tempfile.TemporaryDirectory() as folder:
        config = Path(folder) / "config.yaml"
        config.write_text(yaml.safe_dump(settings))
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        command = [sys.executable, "-m", "cli", "serve", "--config", str(config)]
        process = subprocess.Popen(
            [*command, "--port", str(port)], cwd=ROOT, stderr=subprocess.DEVNULL
        )
        url = f"http://127.0.0.1:{port}"
        try:
            for _ in range(600):
                try:
                    httpx.get(f"{url}/readyz")
                    break
                except httpx.TransportError:
                    sleep(0.1)
            yield url, process.pid
        finally:
            process.terminate()
            process.wait(20)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _add(table: Table, name: str, requests: int, sessions: int, seconds: float, of: str) -> None:
    table.add_row(
        name,
        f"{sessions:,}",
        f"{seconds / requests * 1e6:.2f}",
        f"{requests / seconds:,.0f}",
        f"{sessions / seconds:,.0f}",
        of,
    )


if __name__ == "__main__":
    main()
