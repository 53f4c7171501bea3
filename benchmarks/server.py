"""Requests a second over HTTP: the floor, an idiomatic FastAPI route, and `POST /recommend`.

All servers are up at once, each on the first core; one is loaded at a time by wrk on the second
core, 32 connections, in alternating short windows, so that a disturbance hits all alike. What is
compared are medians over the windows, and ratios within the run. An idle server costs nothing.

    python -m benchmarks.server                    # every strategy type, two catalogs
    python -m benchmarks.server contextual         # some types
"""

import json
import os
import random
import re
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from rich.console import Console
from rich.progress import track as progress
from rich.table import Table

from benchmarks.worlds import LISTENERS, STRATEGIES, make_world, write_config

CONNECTIONS = 32
WINDOW_S = 2
ROUNDS = int(os.environ.get("ROUNDS", "5"))
SERVER_CORE, LOAD_CORE = "0", "1"
DATA = Path(__file__).parents[1] / "data"


@dataclass
class Target:
    """A server under load, and what its windows gave.

    Attributes:
        rates: Requests a second, one a window.
        p99_ms: 99th percentile of the latency that wrk saw, ms, one a window.
        cpu_us: CPU time of the server a request, us, one a window.
    """

    name: str
    port: int
    process: subprocess.Popen[bytes]
    script: Path
    rates: list[float] = field(default_factory=list)
    p99_ms: list[float] = field(default_factory=list)
    cpu_us: list[float] = field(default_factory=list)


def main() -> None:
    """Measure and print the table."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk")
    named = [name for name in sys.argv[1:] if name in STRATEGIES] or list(STRATEGIES)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        here = Path(folder)
        make_world(here / "50k", 50_000)
        worlds = [("default", DATA, "lists"), ("50,000", here / "50k", "")]
        targets = [
            stack.enter_context(_up(name, [sys.executable, "-m", "benchmarks._apps", kind], here))
            for name, kind in (("(a) bare ASGI", "bare"), ("(b) FastAPI route", "fastapi"))
        ]
        for label, data, lists in worlds:
            for strategy in named:
                config = write_config(here / f"{label}-{strategy}", data, strategy, lists)
                command = [sys.executable, "-m", "cli", "serve", "--config", str(config)]
                name = f"(c) {strategy}, {label}"
                targets.append(stack.enter_context(_up(name, [*command, "--port"], here, data)))
        for target in targets:
            _window(target, seconds=1)
        for _ in progress(range(ROUNDS), "Rounds", console=Console(stderr=True)):
            for target in targets:
                _measure(target)
        _print(targets)


@contextmanager
def _up(name: str, command: list[str], folder: Path, data: Path = DATA) -> Iterator[Target]:
    """A server on the first core, ready to answer; stopped afterwards."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        ["taskset", "-c", SERVER_CORE, *command, str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        cwd=Path(__file__).parents[1],
    )
    try:
        for _ in range(600):
            try:
                httpx.post(f"http://127.0.0.1:{port}/recommend", json={"user": "first"})
                break
            except httpx.TransportError:
                if process.poll() is not None:
                    sys.exit(f"{' '.join(command)}: ended with {process.returncode}")
                time.sleep(0.05)
        yield Target(name, port, process, _script(folder / f"{data.name}.lua", data))
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(10)


def _script(path: Path, data: Path) -> Path:
    """Wrk's script: 20,000 requests of 10,000 listeners, in a random order."""
    if not path.exists():
        rng = random.Random(1)
        with (data / "tracks.jsonl").open() as lines:
            tracks = [json.loads(line)["track"] for line in lines]
        bodies = [
            json.dumps(
                {
                    "user": rng.randrange(LISTENERS),
                    "track": rng.choice(tracks),
                    "time": round(rng.random(), 2),
                }
            )
            for _ in range(20_000)
        ]
        path.write_text(
            "local requests = {}\nlocal at = 0\n"
            'local headers = {["Content-Type"] = "application/json"}\n'
            "init = function()\n"
            + "".join(
                f"  requests[{i}] = wrk.format('POST', '/recommend', headers, '{body}')\n"
                for i, body in enumerate(bodies)
            )
            + "end\n"
            f"request = function()\n  at = (at + 1) % {len(bodies)}\n  return requests[at]\nend\n"
        )
    return path


def _window(target: Target, seconds: int = WINDOW_S) -> str:
    return subprocess.run(
        ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s",
         "--latency", "-s", str(target.script), f"http://127.0.0.1:{target.port}"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def _measure(target: Target) -> None:
    before = _cpu_s(target.process.pid)
    shown = _window(target)
    spent = _cpu_s(target.process.pid) - before
    if "Non-2xx" in shown or "Socket errors" in shown:
        sys.exit(f"{target.name}: answered with errors\n{shown}")
    requests = int(re.search(r"(\d+) requests in", shown)[1])  # type: ignore[index]
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", shown)[1])  # type: ignore[index]
    number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", shown).groups()  # type: ignore[union-attr]
    target.rates.append(rate)
    target.p99_ms.append(float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit])
    target.cpu_us.append(spent / requests * 1e6)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _print(targets: list[Target]) -> None:
    table = Table(
        "target", "requests/s", "of (a)", "times (b)", "CPU us", "p99 ms", "p99 of (a)",
        title=f"{ROUNDS} windows of {WINDOW_S} s each, medians; ratios are of medians",
    )  # fmt: skip
    floor, idiomatic = targets[:2]
    for target in targets:
        rate, p99 = statistics.median(target.rates), statistics.median(target.p99_ms)
        table.add_row(
            target.name,
            f"{rate:,.0f}",
            f"{rate / statistics.median(floor.rates):.2f}",
            f"{rate / statistics.median(idiomatic.rates):.2f}",
            f"{statistics.median(target.cpu_us):.1f}",
            f"{p99:.2f}",
            f"{p99 / statistics.median(floor.p99_ms):.2f}",
        )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
