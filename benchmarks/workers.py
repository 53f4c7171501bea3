"""Workers: how evenly connections spread, and what a second worker adds.

The evenness is counted: connections are opened at once, each sends one turn, and the event's id
says which worker answered. For speed, wrk loads one worker and two in alternating windows. Servers
have the first two cores. wrk has the third where there is one; on two cores it takes its part of
both, and the table says so. Each worker has a memory of its own, which changes no cost here.

    python -m benchmarks.workers
"""

import json
import os
import random
import re
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import yaml
from rich.console import Console
from rich.progress import track as progress
from rich.table import Table

from app.listening import url_of
from app.worker_sockets import WorkerSockets
from app.workers import serve_with_workers
from engine.runtime import load_runtime
from engine.settings.loading import load_settings

DATA = Path(__file__).parents[1] / "data"
CROWDS = (8, 32, 128, 1000)
SERVER_CORES = "0,1"
ROUNDS = int(os.environ.get("ROUNDS", "5"))
WINDOW_S = 3
BODY = b'{"user": 7}'
REQUEST = (
    b"POST /recommend HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    b"Content-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


def main() -> None:
    """Measure and print both tables."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        config = _config(Path(folder))
        script = _write_script(Path(folder) / "turns.lua")
        own = stack.enter_context(serving(config, 2, each_own=True))
        shared = stack.enter_context(serving(config, 2, each_own=False))
        one = stack.enter_context(serving(config, 1, each_own=True))
        _print_spread({"a socket each": own[1], "one shared socket": shared[1]})
        servers = {"1 worker": one, "2 workers": own, "2 workers, shared socket": shared}
        _print_speed(servers, script)


def _config(folder: Path) -> Path:
    """Write the default config over the embedded world, with its log in this folder."""
    content = yaml.safe_load((DATA.parent / "config.yaml").read_text())
    data = content["catalog"]
    data["lists"] = {name: str(DATA.parent / path) for name, path in data["lists"].items()}
    data |= {name: str(DATA.parent / data[name]) for name in ("tracks", "top")}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def _write_script(path: Path) -> Path:
    """Write wrk's script: turns of 10,000 listeners in a random order."""
    rng = random.Random(1)
    bodies = [json.dumps({"user": rng.randrange(10_000)}) for _ in range(5_000)]
    path.write_text(
        "local requests = {}\nlocal at = 0\n"
        'local headers = {["Content-Type"] = "application/json", ["Host"] = "localhost"}\n'
        "init = function()\n"
        + "".join(
            f"  requests[{place}] = wrk.format('POST', '/recommend', headers, '{body}')\n"
            for place, body in enumerate(bodies)
        )
        + f"end\nrequest = function()\n  at = (at + 1) % {len(bodies)}\n"
        "  return requests[at]\nend\n"
    )
    return path


@contextmanager
def serving(config: Path, count: int, each_own: bool) -> Iterator[tuple[int, int]]:
    """Run a parent with workers; give its process id and port."""
    command = [sys.executable, "-m", "benchmarks.workers", "serve", str(config), str(count)]
    process = subprocess.Popen(
        ["taskset", "-c", SERVER_CORES, *command, "own" if each_own else "shared"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process.pid, int(process.stdout.readline().rpartition(":")[2])
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def serve(config: str, count: str, sockets: str) -> None:
    """Serve until a signal."""
    runtime = load_runtime(load_settings(Path(config)))
    listening = WorkerSockets("127.0.0.1", 0, int(count), each_own=sockets == "own")
    serve_with_workers(
        runtime, int(count), listening, None, None, lambda: print(url_of(listening.any), flush=True)
    )


def _spread(port: int, connections: int) -> float:
    """Return the share of the connections that the busier of two workers took."""
    with ExitStack() as stack:
        clients = [
            stack.enter_context(socket.create_connection(("127.0.0.1", port), 30))
            for _ in range(connections)
        ]
        for client in clients:
            client.sendall(REQUEST)
        answers = [client.recv(10_000).partition(b"\r\n\r\n")[2] for client in clients]
    stems = Counter(json.loads(answer)["decision"].partition("-")[0] for answer in answers)
    return max(stems.values()) / connections


def _print_spread(ports: dict[str, int]) -> None:
    table = Table(
        "connections", *ports, title="share of the busier of two workers: median, worst of 20"
    )
    for connections in CROWDS:
        shares = {
            name: sorted(_spread(port, connections) for _ in range(20))
            for name, port in ports.items()
        }
        table.add_row(
            str(connections),
            *(f"{statistics.median(each):.0%}, {each[-1]:.0%}" for each in shares.values()),
        )
    Console(width=100).print(table)


def _print_speed(servers: dict[str, tuple[int, int]], script: Path) -> None:
    cores = os.cpu_count() or 1
    load_core = "2" if cores > 2 else SERVER_CORES
    figures: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for _ in progress(range(ROUNDS), "Rounds", console=Console(stderr=True)):
        for connections in (32, 128):
            for name, (pid, port) in servers.items():
                window = _window(pid, port, connections, load_core, script)
                figures.setdefault((name, connections), []).append(window)
    table = Table(
        "connections", "server", "requests/s", "of 1 worker", "CPU us a request",
        "requests/s of two whole cores", "of 1 worker",
        title=f"{ROUNDS} windows of {WINDOW_S} s, medians; {cores} cores, servers on "
        f"{SERVER_CORES}, wrk on {load_core}",
    )  # fmt: skip
    for (name, connections), windows in sorted(figures.items(), key=lambda each: each[0][1]):
        rate, cpu = (statistics.median(column) for column in zip(*windows, strict=True))
        base_rate, base_cpu = (
            statistics.median(column)
            for column in zip(*figures["1 worker", connections], strict=True)
        )
        whole = min(2, int(name[0])) * 1e6 / cpu
        table.add_row(
            str(connections), name, f"{rate:,.0f}", f"{rate / base_rate:.2f}", f"{cpu:.1f}",
            f"{whole:,.0f}", f"{whole / (1e6 / base_cpu):.2f}",
        )  # fmt: skip
    Console(width=120).print(table)


def _window(pid: int, port: int, connections: int, core: str, script: Path) -> tuple[float, float]:
    """Load a server; give requests a second, and its CPU time a request in us."""
    pids = _processes(pid)
    before = sum(map(_cpu_s, pids))
    shown = subprocess.run(
        ["taskset", "-c", core, "wrk", "-t1", f"-c{connections}", f"-d{WINDOW_S}s", "-s",
         str(script), f"http://127.0.0.1:{port}"],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    requests = int(re.search(r"(\d+) requests in", shown)[1])  # type: ignore[index]
    rate = float(re.search(r"Requests/sec:\s+([\d.]+)", shown)[1])  # type: ignore[index]
    return rate, (sum(map(_cpu_s, pids)) - before) / requests * 1e6


def _processes(pid: int) -> list[int]:
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *map(int, children)]


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        serve(*sys.argv[2:])
    else:
        main()
