"""The cost of sealed copies of list files: time to load, to load again, memory of processes.

`python -m benchmarks sealed_lists`. Linux only: it reads the kernel's account of each process.
"""

import json
import multiprocessing
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any, TypeVar

import numpy as np

from core.catalog import Catalog
from core.lists import load_lists
from core.sealed import checksum_of, sealed_copy

T = TypeVar("T")
TRACKS = 50_000
LENGTH = 100
LISTENERS = (100_000, 1_000_000)
PROCESSES = 4


def main() -> None:
    """Print one row a size."""
    catalog = Catalog(range(TRACKS), ["A"] * TRACKS, [""] * TRACKS)
    print(f"{'listeners':>10} {'file MB':>8} {'copy s':>7} {'load s':>7} {'again s':>8} ", end="")
    print(f"{'memory of 1 MB':>15} {f'of {PROCESSES} MB':>9}")
    for listeners in LISTENERS:
        with tempfile.TemporaryDirectory() as folder:
            path = _write(Path(folder) / "lists.npz", listeners, catalog)
            megabytes = path.stat().st_size / 1e6
            copy_s, copy = _timed(lambda path=path: sealed_copy(path))
            copy.file.close()
            one, several = _memory(copy.content)
            del copy
            load_s, lists = _timed(lambda path=path: load_lists(path, catalog))
            again_s, _ = _timed(lambda path=path: checksum_of(path))
            assert load_lists(path, catalog, [lists]) is lists
            del lists
        print(
            f"{listeners:>10,} {megabytes:>8.0f} {copy_s:>7.2f} {load_s:>7.2f} {again_s:>8.2f} "
            f"{one:>15.0f} {several:>9.0f}"
        )


def _write(path: Path, listeners: int, catalog: Catalog) -> Path:
    starts = np.arange(listeners, dtype=np.int64)[:, None] * 37
    manifest = {"format": 1, "key": "user", "catalog": catalog.checksum}
    users = json.dumps([str(user) for user in range(listeners)])
    np.savez(
        path,
        manifest=np.frombuffer(json.dumps(manifest).encode(), dtype=np.uint8),
        keys=np.frombuffer(users.encode(), dtype=np.uint8),
        offsets=np.arange(listeners + 1, dtype=np.int64) * LENGTH,
        tracks=((starts + np.arange(LENGTH) * 7) % TRACKS).astype(np.uint16).ravel(),
    )
    return path


def _timed(work: Callable[[], T]) -> tuple[float, T]:
    began_s = perf_counter()
    result = work()
    return perf_counter() - began_s, result


def _memory(content: Any) -> tuple[float, float]:
    """Return the memory of the copy in MB: read by this process, and by forked ones together."""
    content.sum()
    one = _share_mb()
    fork = multiprocessing.get_context("fork")
    asked, told = fork.Barrier(PROCESSES), fork.Queue()

    def read() -> None:
        content.sum()
        asked.wait()  # all have read it, so the kernel divides its pages by all of them
        told.put(_share_mb())
        asked.wait()

    processes = [fork.Process(target=read) for _ in range(PROCESSES - 1)]
    for process in processes:
        process.start()
    asked.wait()
    shares = [told.get() for _ in processes] + [_share_mb()]
    asked.wait()
    for process in processes:
        process.join()
    return one, sum(shares)


def _share_mb() -> float:
    """Return this process's share of the sealed copies, MB: each page divided by its processes."""
    parts = Path("/proc/self/smaps").read_text().split("memfd:segue")[1:]
    return sum(int(part.split("\nPss:")[1].split()[0]) for part in parts) * 1024 / 1e6


if __name__ == "__main__":
    main()
