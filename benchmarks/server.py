"""The cost of a request over HTTP, beside a bare ASGI app, a FastAPI route and nginx.

All servers run on the first core. wrk, on the second core, loads one at a time, in alternating
short windows, so that a disturbance hits all of them alike. The table compares medians over the
windows, and ratios within the run. An idle server costs nothing.

The first table has every strategy type at 32 connections, the second has `contextual` at 1, 8, 32
and 128 connections.

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

from benchmarks._apps import CONSTANT
from benchmarks.worlds import LISTENERS, STRATEGIES, make_world, write_config

CONNECTIONS = 32
CROWDS = (1, 8, 32, 128)
CROWD_TYPE = "contextual"
WINDOW_S = 2
ROUNDS = int(os.environ.get("ROUNDS", "5"))
SERVER_CORE, LOAD_CORE = "0", "1"
DATA = Path(__file__).parents[1] / "data"


@dataclass
class Target:
    """A server under load, and the figures of its windows.

    Attributes:
        windows: Connections -> one tuple per window: (requests/s; wrk's median and 99th percentile
            of latency, ms; the server's CPU time per request, us).
    """

    name: str
    port: int
    process: subprocess.Popen[bytes]
    script: Path
    windows: dict[int, list[tuple[float, float, float, float]]] = field(default_factory=dict)

    def medians(self, connections: int) -> tuple[float, float, float, float]:
        """Give the median of each figure over the windows."""
        rate, p50, p99, cpu = (
            statistics.median(column) for column in zip(*self.windows[connections], strict=True)
        )
        return rate, p50, p99, cpu


def main() -> None:
    """Measure and print the tables."""
    if shutil.which("wrk") is None:
        sys.exit("wrk is missing: apt-get install wrk")
    named = [name for name in sys.argv[1:] if name in STRATEGIES] or list(STRATEGIES)
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        here = Path(folder)
        make_world(here / "50k", 50_000)
        worlds = [("default", DATA, "lists"), ("50,000", here / "50k", "")]
        targets = [
            stack.enter_context(_up(name, [sys.executable, "-m", "benchmarks._apps", app], here))
            for name, app in (("(a) bare ASGI", "bare"), ("(b) FastAPI route", "fastapi"))
        ]
        if shutil.which("nginx"):
            targets.append(stack.enter_context(_nginx(here)))
        for label, data, lists in worlds:
            for strategy in named:
                config = write_config(here / f"{label}-{strategy}", data, strategy, lists)
                command = [sys.executable, "-m", "cli", "serve", "--config", str(config)]
                name = f"(c) {strategy}, {label}"
                targets.append(stack.enter_context(_up(name, [*command, "--port"], here, data)))
        for target in targets:
            _window(target, CONNECTIONS, seconds=1)
        for _ in progress(range(ROUNDS), "Rounds", console=Console(stderr=True)):
            for target in targets:
                _measure(target, CONNECTIONS)
        _print(targets)
        crowded = [each for each in targets if not each.name.startswith("(c)")]
        crowded += [each for each in targets if each.name == f"(c) {CROWD_TYPE}, default"]
        for _ in progress(range(ROUNDS), "Crowds", console=Console(stderr=True)):
            for connections in CROWDS:
                for target in crowded:
                    _measure(target, connections)
        _print_crowds(crowded)


@contextmanager
def _up(name: str, command: list[str], folder: Path, data: Path = DATA) -> Iterator[Target]:
    """Start a server on the first core, wait until it answers, and stop it afterwards."""
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
    """Write wrk's script: 20,000 requests of 10,000 listeners, in a random order."""
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


@contextmanager
def _nginx(folder: Path) -> Iterator[Target]:
    """Start nginx with one worker that answers a constant."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = folder / "nginx.conf"
    constant = CONSTANT.decode().replace('"', '\\"')
    config.write_text(
        f"worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log /dev/null;\n"
        "events { worker_connections 1024; }\n"
        "http { access_log off; default_type application/json; keepalive_requests 1000000000;\n"
        + "".join(
            f"  {kind}_temp_path {folder}/{kind};\n"
            for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        + f'  server {{ listen 127.0.0.1:{port}; location / {{ return 200 "{constant}"; }} }}\n}}\n'
    )
    command = ["taskset", "-c", SERVER_CORE, "nginx", "-c", str(config)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/")
                break
            except httpx.TransportError:
                time.sleep(0.05)
        script = _script(folder / f"{DATA.name}.lua", DATA)
        yield Target("(d) nginx, constant", port, process, script)
    finally:
        process.send_signal(signal.SIGQUIT)
        process.wait(10)


def _window(target: Target, connections: int, seconds: int = WINDOW_S) -> str:
    return subprocess.run(
        ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s",
         "--latency", "-s", str(target.script), f"http://127.0.0.1:{target.port}"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip


def _measure(target: Target, connections: int) -> None:
    pids = _processes(target.process.pid)
    before = sum(map(_cpu_s, pids))
    shown = _window(target, connections)
    spent = sum(map(_cpu_s, pids)) - before
    if "Non-2xx" in shown or "Socket errors" in shown:
        sys.exit(f"{target.name}: answered with errors\n{shown}")
    requests = int(re.search(r"(\d+) requests in", shown)[1])  # type: ignore[index]
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", shown)[1])  # type: ignore[index]
    figures = (rate, _latency_ms(shown, 50), _latency_ms(shown, 99), spent / requests * 1e6)
    target.windows.setdefault(connections, []).append(figures)


def _latency_ms(shown: str, percentile: int) -> float:
    found = re.search(rf"{percentile}%\s+([\d.]+)(us|ms|s)", shown)
    assert found is not None
    return float(found[1]) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[found[2]]


def _processes(pid: int) -> list[int]:
    """List a process and its children: nginx answers in a worker."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _print(targets: list[Target]) -> None:
    table = Table(
        "target", "CPU us", "of (a)", "of (b)", "requests/s", "p50 ms", "p99 ms", "p99 of (a)",
        title=f"{CONNECTIONS} connections, {ROUNDS} windows of {WINDOW_S} s each, medians; "
        "ratios are of medians",
    )  # fmt: skip
    floor, idiomatic = (each.medians(CONNECTIONS) for each in targets[:2])
    for target in targets:
        rate, p50, p99, cpu = target.medians(CONNECTIONS)
        table.add_row(
            target.name,
            f"{cpu:.1f}",
            f"{cpu / floor[3]:.2f}",
            f"{cpu / idiomatic[3]:.2f}",
            f"{rate:,.0f}",
            f"{p50:.2f}",
            f"{p99:.2f}",
            f"{p99 / floor[2]:.2f}",
        )
    Console(width=110).print(table)


def _print_crowds(targets: list[Target]) -> None:
    table = Table(
        "connections", "target", "CPU us", "of (a)", "requests/s", "p50 ms", "p99 ms",
        title=f"By connections, {ROUNDS} windows of {WINDOW_S} s each, medians",
    )  # fmt: skip
    for connections in CROWDS:
        floor = targets[0].medians(connections)
        for target in targets:
            rate, p50, p99, cpu = target.medians(connections)
            table.add_row(
                str(connections),
                target.name,
                f"{cpu:.1f}",
                f"{cpu / floor[3]:.2f}",
                f"{rate:,.0f}",
                f"{p50:.2f}",
                f"{p99:.2f}",
            )
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
