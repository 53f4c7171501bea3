"""Time and memory of reading a log into events, sessions and listeners.

    python -m benchmarks.analysis [--events 10000000] [--format ours|botify] [--packed]

Makes a synthetic log in a temporary folder first (for 10 million events 3.8 GB of ours, 1.9 GB of
botify's), then reads it in a process of its own, so that its peak memory is its own.
"""

import argparse
import gzip
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

BLOCK = 500_000
PER_SESSION = 10
SESSIONS = 5
START_MS = 1_780_000_000_000


def main() -> None:
    """Make the log, read it, print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--format", choices=("ours", "botify"), default="ours")
    parser.add_argument("--packed", action="store_true", help="gzip the files")
    parser.add_argument("--memory", type=int, default=1000, help="MB that DuckDB may keep")
    parser.add_argument("--read", type=Path, help="only read this folder")
    options = parser.parse_args()
    if options.read is not None:
        print(json.dumps(read(options.read, options.memory)))
        return
    with tempfile.TemporaryDirectory(prefix="segue-bench-") as folder:
        began = time.perf_counter()
        size = make(Path(folder), options.events, options.format == "ours", options.packed)
        print(
            f"{options.events:,} events, {options.format}, {size / 1e6:,.0f} MB"
            f"{' packed' if options.packed else ''}, made in {time.perf_counter() - began:.0f} s"
        )
        command = [sys.executable, "-m", "benchmarks.analysis", "--read", folder]
        done = subprocess.run(
            [*command, "--memory", str(options.memory)], check=True, stdout=subprocess.PIPE
        )
        figures = json.loads(done.stdout)
        for what, figure in figures.items():
            print(f"{what:>24}: {figure:,}")


def read(folder: Path, memory_mb: int) -> dict[str, float]:
    """Read the log in this process; return the figures."""
    from events.reader import open_log

    laps = _Laps()
    began = time.perf_counter()
    with open_log([folder], memory_mb=memory_mb, progress=laps) as log:
        took = time.perf_counter() - began
        laps.start("")
        counts = {
            table: log.one(f"SELECT count(*) FROM {table}")
            for table in ("events", "sessions", "listeners", "dropped_lines")
        }
        began = time.perf_counter()
        log.one("SELECT sum(tracks) FROM variety")
        variety = time.perf_counter() - began
    return {
        **counts,
        "open_log, s": round(took, 1),
        **{f"of it {what}, s": round(lap, 1) for what, lap in laps.laps.items()},
        "variety, s": round(variety, 1),
        "CPU, s": round(time.process_time(), 1),
        "peak RSS, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }


class _Laps:
    """A progress that notes how long each part took, in seconds."""

    def __init__(self) -> None:
        self.laps: dict[str, float] = {}
        self._what = ""
        self._since = 0.0

    def start(self, what: str, total: float | None = None) -> None:
        now = time.perf_counter()
        if self._what:
            self.laps[self._what] = now - self._since
        self._what, self._since = what, now

    def advance(self, steps: float = 1) -> None:
        pass

    def say(self, what: str) -> None:
        pass


def make(folder: Path, events: int, ours: bool, packed: bool) -> int:
    """Write the log; return its bytes on disk.

    Each file has its own listeners; a session has ten turns.
    """
    lines = _block(min(events, BLOCK), ours)
    size = 0
    for number in range(-(-events // BLOCK)):
        count = min(BLOCK, events - number * BLOCK)
        prefix = f"{number + 1}".encode()
        content = b"\n".join(lines[:count]).replace(b"@", prefix) + b"\n"
        name = (
            f"events-host-1-{START_MS}-{number:04}.jsonl" if ours else f"recommender-{number}.json"
        )
        if packed:
            name, content = name + ".gz", gzip.compress(content, 6)
        (folder / name).write_bytes(content)
        size += len(content)
    return size


def _block(count: int, ours: bool) -> list[bytes]:
    """Make lines in which `@` stands for the file's number, so that ids differ between files."""
    random = np.random.default_rng(1)
    users = max(1, count // (PER_SESSION * SESSIONS))
    tracks = random.integers(0, 50_000, count + 1).tolist()
    times = np.round(random.beta(1, 2, count), 2).tolist()
    latencies = random.gamma(2, 0.0002, count).tolist()
    lines = []
    for place in range(count):
        # The first session of all listeners, turn by turn, then the second of all listeners.
        turn, user = divmod(place, users)
        session, step = divmod(turn, PER_SESSION)
        at_ms = START_MS + session * 10_000_000 + step * 200_000 + user % 200_000
        arm = "T1" if (user * 2_654_435_761 >> 7) & 1 else "C"
        final = step == PER_SESSION - 1
        message = "last" if final else "next"
        own = tracks[(place + user) % count]
        shared = (
            f'{{"message":"{message}","timestamp":{at_ms},"user":@{1_000_000 + user},"track":{own},'
            f'"time":{times[place]},"latency":{latencies[place]},'
        )
        chosen = tracks[(place + user + users) % count]
        if not ours:
            recommendation = "null" if final else chosen
            line = f'"recommendation":{recommendation},"experiments":{{"fallback":"{arm}"}}}}'
        else:
            answer = (
                ""
                if final
                else f',"recommendation":{chosen},"strategy":"improved","answered_by":"popular",'
                '"depth":0,"candidates":100,"propensity":0.01'
            )
            line = (
                f'"experiments":{{"fallback":"{arm}"}},"schema":1,'
                f'"decision":"@a1b2c3d4e5f6-{place:x}",'
                f'"session":"@a1b2c3d4e5f6-{session * users * PER_SESSION + user:x}",'
                f'"turn":{turn + 1},"config":"0123456789ab","forced":false{answer}}}'
            )
        lines.append((shared + line).encode())
    return lines


if __name__ == "__main__":
    main()
