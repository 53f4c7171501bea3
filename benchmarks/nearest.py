"""Measure a world: generating it, finding nearest tracks, and reading them from the cache.

Run with `python -m benchmarks.nearest [FOLDER]`. Without a folder it generates a world of 50,000
tracks and 10,000 listeners with 3 interests. On a busy machine read the seconds of CPU, which add
up all threads, not the seconds on the clock.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import TypeVar

import numpy as np
from rich.console import Console
from rich.table import Table

from simulator.world.generator import generate_world
from simulator.world.neighbours import find_neighbours, nearest_tracks
from simulator.world.world import load_world

T = TypeVar("T")


def main() -> None:
    """Print the time of each step."""
    table = Table("what", "seconds", "of CPU")

    def timed(what: str, work: Callable[[], T]) -> T:
        began, began_cpu = perf_counter(), process_time()
        made = work()
        took, took_cpu = perf_counter() - began, process_time() - began_cpu
        table.add_row(what, f"{took:.2f}", f"{took_cpu:.2f}")
        return made

    if len(sys.argv) > 1:
        world = timed("load the world", lambda: load_world(Path(sys.argv[1])))
    else:
        world = timed("generate the world", lambda: generate_world(50_000, 10_000, 31337).world)
    tracks = len(world.catalog)
    distinct = len(np.unique(world.interests))
    with tempfile.TemporaryDirectory() as cache:
        what = f"10 nearest of {tracks:,} tracks to {distinct:,} different interests"
        timed(what, lambda: find_neighbours(world, 10, Path(cache)))
        timed("the same from the cache", lambda: find_neighbours(world, 10, Path(cache)))
    most = np.arange(3 * len(world)) % tracks
    timed(f"... to {len(most):,}, as if all interests were different",
          lambda: nearest_tracks(world.embeddings, most, 10))  # fmt: skip
    Console().print(table)


if __name__ == "__main__":
    main()
