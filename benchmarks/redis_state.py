"""The cost of listeners' state on Redis: CPU and latency beside state in memory, bytes a listener.

Both servers run on the first core; wrk and Redis share the second one. wrk loads one server at a
time, in alternating short windows, as in `benchmarks.server`.

    python -m benchmarks.redis_state
"""

import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import redis
import yaml
from rich.console import Console
from rich.progress import track as progress
from rich.table import Table

from benchmarks.server import (
    CONNECTIONS,
    DATA,
    LOAD_CORE,
    ROUNDS,
    WINDOW_S,
    Target,
    _cpu_s,
    _measure,
    _up,
    _window,
)
from engine.shared_state.keys import record_key
from engine.shared_state.record_format import Head, make_record

LISTENERS = 20_000
LISTENS = (0, 10, 100)


def main() -> None:
    """Measure and print the tables."""
    for program in ("wrk", "redis-server"):
        if shutil.which(program) is None:
            sys.exit(f"{program} is missing: apt-get install {program}")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        here = Path(folder)
        client, store = stack.enter_context(_redis())
        targets = []
        for backend in ("memory", "redis"):
            url = f"redis://127.0.0.1:{client.connection_pool.connection_kwargs['port']}/0"
            config = _write_config(here / backend, backend, url)
            command = [sys.executable, "-m", "cli", "serve", "--config", str(config), "--port"]
            targets.append(stack.enter_context(_up(backend, command, here)))
        for target in targets:
            _window(target, CONNECTIONS, seconds=2)
        spent_s, turns = 0.0, 0.0
        for _ in progress(range(ROUNDS), "Rounds", console=Console(stderr=True)):
            for target in targets:
                before = _cpu_s(store)
                _measure(target, CONNECTIONS)
                if target.name == "redis":
                    spent_s += _cpu_s(store) - before
                    turns += target.windows[CONNECTIONS][-1][0] * WINDOW_S
        _print(targets, spent_s / turns * 1e6)
        client.flushall()
        _print_bytes(client)


def _write_config(folder: Path, backend: str, url: str) -> Path:
    """Write the config of a server; both differ in the state alone."""
    arms = {name: {"strategy": "contextual", "weight": 50} for name in ("C", "T1")}
    config = {
        "catalog": {
            "tracks": str(DATA.resolve() / "tracks.jsonl"),
            "lists": {"contextual": str(DATA.resolve() / "lists" / "contextual.npz")},
        },
        "strategies": {
            "random": {"type": "random"},
            "contextual": {"type": "contextual", "list": "contextual", "fallback": "random"},
        },
        "default": "random",
        "experiments": [{"name": "measured", "arms": arms}],
        "state": {"backend": backend, **({"url": url} if backend == "redis" else {})},
        "events": {"dir": str(folder / "log")},
    }
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False))
    return path


@contextmanager
def _redis() -> Iterator[tuple["redis.Redis", int]]:
    """Start a Redis on the second core; give its client and its process id."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        ["taskset", "-c", LOAD_CORE, "redis-server", "--port", str(port), "--save", ""],
        stdout=subprocess.DEVNULL,
    )
    client = redis.Redis(port=port)
    try:
        while True:
            with suppress(redis.ConnectionError):
                client.ping()
                break
            time.sleep(0.05)
        yield client, process.pid
    finally:
        client.close()
        process.kill()
        process.wait(10)


def _print(targets: list[Target], redis_us: float) -> None:
    table = Table(
        "state in", "CPU us", "ratio", "requests/s", "p50 ms", "p99 ms",
        title=f"{CONNECTIONS} connections, {ROUNDS} windows of {WINDOW_S} s each, medians",
    )  # fmt: skip
    floor = targets[0].medians(CONNECTIONS)[3]
    for target in targets:
        rate, p50, p99, cpu = target.medians(CONNECTIONS)
        table.add_row(
            target.name, f"{cpu:.1f}", f"{cpu / floor:.2f}", f"{rate:,.0f}", f"{p50:.2f}",
            f"{p99:.2f}",
        )  # fmt: skip
    console = Console(width=110)
    console.print(table)
    console.print(f"Redis itself: {redis_us:.1f} us of CPU a turn")


def _print_bytes(client: "redis.Redis") -> None:
    table = Table("listens", "bytes a record", "bytes a listener in Redis")
    for listens in LISTENS:
        client.flushall()
        before = int(client.info("memory")["used_memory"])
        head = Head(100, 1_700_000_000_000, 90, "8d679051a942-1f4a2", bytes(12))
        record = make_record(head, bytes(8), bytes(8 * listens))
        pipeline = client.pipeline(transaction=False)
        for listener in range(1_000_000, 1_000_000 + LISTENERS):
            pipeline.set(record_key("segue:", str(listener)), record, px=86_400_000)
        pipeline.execute()
        used = int(client.info("memory")["used_memory"]) - before
        table.add_row(str(listens), str(len(record)), f"{used / LISTENERS:,.0f}")
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
