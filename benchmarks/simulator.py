"""Measure a simulated session: the vector core, in process through the dispatcher, over HTTP.

Run with `python -m benchmarks.simulator [--world FOLDER --config FILE --strategy NAME]`. If
several jobs share the machine, read the CPU rows, not the clock: a rate "of CPU" is the rate of one
idle core. The server of the last rows is a separate process on the same cores.
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

from core.progress import SILENT
from simulator.simulation.options import SimulationOptions
from simulator.simulation.plan import SimulationPlan, make_shard, plan_simulation

ROOT = Path(__file__).parents[1]
SESSIONS = {"random": 150_000, "popular": 150_000, "oracle": 8_000, "local": 10_000, "http": 3_000}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.simulator")
    parser.add_argument("--world", type=Path, default=ROOT / "data")
    parser.add_argument("--config", type=Path, default=ROOT / "config.yaml")
    parser.add_argument("--strategy", default="contextual")
    options, _ = parser.parse_known_args()
    table = Table("recommender", "sessions", "us per request", "requests/s", "sessions/s", "by")
    for name in ("random", "popular", "oracle", f"local:{options.strategy}"):
        requests, sessions, spent, _ = _play(options, name)
        _add(table, name, requests, sessions, spent, "CPU")
    with _server(options) as (url, server):
        before = _cpu_s(server)
        requests, sessions, spent, took = _play(options, url)
        served = _cpu_s(server) - before
    _add(table, "http, the simulator", requests, sessions, spent, "CPU")
    _add(table, "http, the server", requests, sessions, served, "CPU")
    _add(table, "http, both", requests, sessions, took, "the clock")
    Console(width=100).print(table)


def _play(options: argparse.Namespace, name: str) -> tuple[int, int, float, float]:
    """Return requests, sessions, seconds of CPU, and seconds on the clock."""
    plan = _plan(options, name)
    shard = make_shard(plan, 0, 0)
    kind = plan.recommenders[0].kind
    shard.player.play(shard.listeners.plan_day(1, 500), abs, lambda: False)  # warm-up
    sessions = shard.listeners.plan_day(0, SESSIONS[kind])
    began, began_cpu = perf_counter(), process_time()
    outcome = shard.player.play(sessions, abs, lambda: False)
    spent, took = process_time() - began_cpu, perf_counter() - began
    shard.player.close()
    assert not outcome.given_up, outcome.errors
    final_feedback = len(outcome.sessions) if kind == "local" else 0
    requests = outcome.requests + final_feedback
    return requests, len(outcome.sessions), spent, took


def _plan(options: argparse.Namespace, name: str) -> SimulationPlan:
    simulation = SimulationOptions(
        recommenders=(name,), world=options.world, config=options.config, timeout_s=60.0
    )
    return plan_simulation(simulation, SILENT)


@contextmanager
def _server(options: argparse.Namespace) -> Iterator[tuple[str, int]]:
    """Run a server of this config with one strategy for all; gives address and process id."""
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
