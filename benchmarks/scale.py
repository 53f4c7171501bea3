"""Growth of commands with the events of a log, on one machine and on Spark.

    python -m benchmarks.scale [--events 1000000 3000000] [--commands verify report replay]
        [--engines duckdb spark] [--master local[2]] [--conf spark.driver.memory=2g] [--packed]

Prints a table: wall time, CPU time, the most memory that all processes held together, and the bytes
that Spark's shuffles wrote. `replay` plays a log of synthetic traffic first (for a million events
two minutes on a quiet core); the other commands read the made-up log of `benchmarks.analysis`.
`replay` with DuckDB is one process, and `replay-2` two. `--packed` gives the made-up log as gzip:
100 million events have 38 GB of lines, and 4 GB as gzip.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.analysis import make

COMMANDS = {
    "verify": ["verify", "--no-replay"],
    "report": ["report", "--no-replay", "--even-if-invalid"],
    "replay": ["replay"],
    "replay-2": ["replay", "--processes", "2"],
}
PAGE = os.sysconf("SC_PAGE_SIZE")
TICKS_A_S = os.sysconf("SC_CLK_TCK")
EACH_S = 0.2
"""Time between two looks at the processes."""


@dataclass(frozen=True, slots=True)
class Cost:
    """The cost of a command."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    shuffle_mb: float | None


def main() -> None:
    """Make the logs, run the commands, print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, nargs="+", default=[1_000_000])
    parser.add_argument("--commands", nargs="+", choices=COMMANDS, default=["verify", "report"])
    parser.add_argument("--engines", nargs="+", default=["duckdb", "spark"])
    parser.add_argument("--master", default="local[2]")
    parser.add_argument("--conf", nargs="*", default=[])
    parser.add_argument("--packed", action="store_true")
    options = parser.parse_args([] if _is_run_with_others() else None)
    print("| events | command | engine | wall | CPU | memory | shuffle |")
    print("|---|---|---|---|---|---|---|")
    for events in options.events:
        with tempfile.TemporaryDirectory(prefix="segue-scale-") as folder:
            for command in options.commands:
                log = _log_for(command, Path(folder), events, options.packed)
                for engine in options.engines:
                    if engine == "duckdb" or "processes" not in " ".join(COMMANDS[command]):
                        spark = [options.master, *options.conf] if engine == "spark" else None
                        _print_row(events, command, engine, measure(command, log, spark))


def measure(command: str, log: Path, spark: Sequence[str] | None) -> Cost:
    """Run a command of `segue` in a process of its own, on Spark if its settings are given."""
    with tempfile.TemporaryDirectory(prefix="segue-history-") as history:
        arguments = [sys.executable, "-m", "cli", *COMMANDS[command], str(log), "--json"]
        if spark is not None:
            own = ["spark.eventLog.enabled=true", f"spark.eventLog.dir=file://{history}"]
            own += ["spark.eventLog.rolling.enabled=false", "spark.eventLog.compress=false"]
            confs = [text for conf in [*own, *spark[1:]] for text in ("--conf", conf)]
            arguments += ["--engine", "spark", "--master", spark[0], *confs]
        began = time.perf_counter()
        process = subprocess.Popen(
            arguments, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        with _Tree(process.pid) as tree:
            _, errors = process.communicate()
        wall = time.perf_counter() - began
        if process.returncode not in (0, 1):
            sys.exit(f"{' '.join(arguments)} failed:\n{errors[-2000:]}")
        shuffled = None if spark is None else _shuffle_bytes(Path(history)) / 1e6
    return Cost(wall, tree.cpu_s, tree.peak_mb, shuffled)


class _Tree:
    """CPU time and the most resident memory of a process and all its descendants, by /proc.

    Spark's JVM is never waited for, so the usual count of a child's time lacks it.
    """

    def __init__(self, pid: int) -> None:
        self.peak_mb = 0.0
        self._pid = pid
        self._ticks: dict[int, int] = {}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)

    @property
    def cpu_s(self) -> float:
        """CPU time so far, in seconds."""
        return sum(self._ticks.values()) / TICKS_A_S

    def __enter__(self) -> "_Tree":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(EACH_S):
            pages = 0
            for pid, ticks, resident in _descendants(self._pid):
                self._ticks[pid] = ticks
                pages += resident
            self.peak_mb = max(self.peak_mb, pages * PAGE / 1e6)


def _descendants(root: int) -> Iterator[tuple[int, int, int]]:
    """Yield (process, ticks of CPU, resident pages) of a process and all below it."""
    parents: dict[int, int] = {}
    costs: dict[int, tuple[int, int]] = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            stat = (path / "stat").read_text().rpartition(")")[2].split()
        except OSError:
            continue  # it has ended
        pid = int(path.name)
        parents[pid] = int(stat[1])
        costs[pid] = int(stat[11]) + int(stat[12]), int(stat[21])
    for pid, cost in costs.items():
        above: int | None = pid
        while above is not None and above != root:
            above = parents.get(above)
        if above == root:
            yield pid, *cost


def _shuffle_bytes(history: Path) -> int:
    """Add up the bytes that tasks wrote for shuffles, from Spark's own event log."""
    written = 0
    for path in history.iterdir():
        for line in path.read_text().splitlines():
            event = json.loads(line)
            if event["Event"] == "SparkListenerTaskEnd":
                metrics = event.get("Task Metrics") or {}
                written += metrics.get("Shuffle Write Metrics", {}).get("Shuffle Bytes Written", 0)
    return written


def _log_for(command: str, folder: Path, events: int, packed: bool) -> Path:
    """Make the log of a command, once."""
    plays = command.startswith("replay")
    log = folder / ("played" if plays else "made")
    if not log.exists():
        log.mkdir()
        if plays:
            _play(log, events)
        else:
            make(log, events, ours=True, packed=packed)
    return log


def _play(log: Path, events: int) -> None:
    """Play synthetic traffic with the default config; a session has some eight events."""
    from audit.synthetic_traffic import SyntheticTraffic
    from engine.runtime import load_runtime
    from engine.settings.loading import load_settings

    runtime = load_runtime(load_settings(Path("config.yaml")))
    with SyntheticTraffic(runtime, log, rotate_mb=64) as traffic:
        traffic.play(range(events // 40), events // 8)


def _print_row(events: int, command: str, engine: str, cost: Cost) -> None:
    shuffle = "" if cost.shuffle_mb is None else f"{cost.shuffle_mb:,.0f} MB"
    print(
        f"| {events:,} | {command} | {engine} | {cost.wall_s:,.0f} s | {cost.cpu_s:,.0f} s | "
        f"{cost.peak_mb:,.0f} MB | {shuffle} |",
        flush=True,
    )


def _is_run_with_others() -> bool:
    """Test whether `python -m benchmarks` runs this; its arguments are names of benchmarks."""
    return Path(sys.argv[0]).name == "__main__.py"


if __name__ == "__main__":
    main()
