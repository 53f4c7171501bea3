"""A decision and its log line in process: CPU time by strategy type, growth, memory, start-up.

The figure is the CPU time of the fastest of several rounds, so that a second process on the machine
disturbs it little. The yardstick, an integer loop of ten steps, shows the speed of the machine.
"""

import gc
import random
import subprocess
import sys
import tempfile
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.worlds import STRATEGIES, make_world, write_config
from core.request import Request
from engine.arrivals import Arrival
from engine.dispatcher import Dispatcher
from engine.metrics import ServerMetrics
from engine.runtime import Runtime, load_runtime
from engine.settings.loading import load_settings
from engine.state import MemoryState
from events.writer import EventWriter

REQUESTS = 10_000
ROUNDS = 7
BATCH = 32
"""Turns that are decided together, as under load."""


def main() -> None:
    """Print the tables."""
    console = Console(width=100)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for tracks in (1_000, 10_000, 50_000):
            make_world(folder / str(tracks), tracks)
        by_strategy = Table("strategy", *(f"{n} tracks" for n in ("1,000", "10,000", "50,000")),
                            title="us of CPU, decision and log line, 10,000 listeners, "
                            f"{BATCH} turns in a batch")  # fmt: skip
        for strategy in STRATEGIES:
            costs = [cost_us(_runtime(folder, n, strategy)) for n in (1_000, 10_000, 50_000)]
            by_strategy.add_row(strategy, *(f"{cost:.1f}" for cost in costs))
        console.print(by_strategy)
        runtime = _runtime(folder, 50_000, "contextual")
        growth = Table("listeners", "us of CPU", title="contextual, 50,000 tracks")
        for listeners in (1_000, 10_000, 100_000):
            growth.add_row(f"{listeners:,}", f"{cost_us(runtime, listeners):.1f}")
        console.print(growth)
        alone = cost_us(runtime, batch=1)
        console.print(f"contextual, 50,000 tracks, one turn in a batch: {alone:.1f} us")
        console.print(f"yardstick, ten steps of an integer loop: {yardstick_us():.2f} us")
        console.print(f"memory at 100 listens: {listener_bytes(runtime):,.0f} bytes per listener")
        console.print(f"start-up, 50,000 tracks and two lists: {ready_s(folder):.2f} s to ready")


def cost_us(runtime: Runtime, listeners: int = REQUESTS, batch: int = BATCH) -> float:
    """Measure the CPU time of a decision with its log line, in us."""
    dispatcher = _dispatcher(runtime)
    arrivals = [Arrival(request, 0.0) for request in _requests(runtime, listeners)]
    batches = [arrivals[at : at + batch] for at in range(0, len(arrivals), batch)]

    def run() -> None:
        for each in batches:
            dispatcher.dispatch(each)

    run()
    cost = _fastest_us(run, len(arrivals))
    dispatcher.log.close()
    return cost


def yardstick_us() -> float:
    """Measure the CPU time of ten steps of an integer loop, in us."""

    def run() -> None:
        for _ in range(REQUESTS):
            total = 0
            for step in range(10):
                total += step

    return _fastest_us(run, REQUESTS)


def listener_bytes(runtime: Runtime, listeners: int = 2_000, listens: int = 100) -> float:
    """Measure the memory that a listener with a full history takes in the state, in bytes."""
    dispatcher = _dispatcher(runtime)
    requests = [Request(user=user, track=1, time=0.5) for user in range(listeners)]
    dispatcher.recommend(Request(user="warm-up"), 0.0)
    gc.collect()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for _ in range(listens):
        for request in requests:
            dispatcher.recommend(request, 0.0)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    dispatcher.log.close()
    return grown / listeners


def ready_s(folder: Path) -> float:
    """Measure the wall time from the start of the process until all data is loaded, in s."""
    config = write_config(folder / "start", folder / "50000", "contextual")
    command = [sys.executable, "-m", "cli", "check", "--config", str(config)]
    best = float("inf")
    for _ in range(3):
        start = time.perf_counter()
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        best = min(best, time.perf_counter() - start)
    return best


def _runtime(folder: Path, tracks: int, strategy: str) -> Runtime:
    config = write_config(folder / f"{strategy}-{tracks}", folder / str(tracks), strategy)
    return load_runtime(load_settings(config))


def _dispatcher(runtime: Runtime) -> Dispatcher:
    settings = runtime.settings
    log = EventWriter(settings.resolve(settings.events.dir), 10**9, _now_ms)
    return Dispatcher(
        runtime, MemoryState(100_000, 86_400, time.monotonic), log, ServerMetrics(), _now_ms
    )


def _requests(runtime: Runtime, listeners: int) -> list[Request]:
    rng = random.Random(1)
    return [
        Request(
            user=rng.randrange(listeners),
            track=rng.choice(runtime.catalog.ids),
            time=round(rng.random(), 2),
        )
        for _ in range(max(REQUESTS, listeners))
    ]


def _fastest_us(run: Callable[[], None], times: int) -> float:
    gc.collect()
    gc.freeze()
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.process_time()
        run()
        best = min(best, time.process_time() - start)
    gc.unfreeze()
    return best / times * 1e6


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


if __name__ == "__main__":
    main()
