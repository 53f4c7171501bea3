"""False alarms of the checks: `python -m benchmarks.honest_logs [--logs 200] [--seed 31337]`.

Simulated listeners of the default world play experiments in this process, with tastes of their
own and arms that differ. Nothing is wrong with any of these logs. Half of them are of botify's
form, half end while sessions are open, and their sizes go from some hundred to some thousand
sessions. Every check runs over each of them: an alarm is a false one.
"""

import argparse
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from itertools import count
from pathlib import Path
from time import perf_counter
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import CheckResult, Status
from analysis.checks.suite import run_all_checks
from core.allocation import SLOTS, Arm, Experiment
from core.rng import Stream
from engine.runtime import Runtime, load_runtime
from engine.settings.loading import load_settings
from events.config_snapshots import snapshots_beside
from events.event_files import END_SUFFIX
from events.reader import open_log as read_log
from simulator.listeners.botify import BotifyListeners, BotifySettings
from simulator.play.in_process_runner import InProcessRunner
from simulator.recommenders.in_process import DispatcherRecommender, open_log
from simulator.world.neighbours import find_neighbours
from simulator.world.world import World, load_world

ROOT = Path(__file__).parents[1]
START_MS = 1_780_000_000_000
MS_BETWEEN = 3
SIZES = (300, 1_000, 3_000, 8_000)
"""Sessions of a log."""
PAIRS = (("contextual", "improved"), ("personal", "liked"), ("contextual", "contextual"))
"""Strategies of the arms: two real experiments of the default config, and an A/A test."""
BOTIFY_FIELDS = (
    "message", "timestamp", "user", "track", "time", "latency", "recommendation", "experiments"
)  # fmt: skip


def run() -> None:
    """Play, check, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.honest_logs")
    parser.add_argument("--logs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=31337)
    options = parser.parse_args()
    began = perf_counter()
    counts: Counter[tuple[str, str, Status]] = Counter()
    failed: Counter[str] = Counter()
    for form, checks in _checked_logs(options.logs, options.seed):
        counts.update((form, check.name, check.status) for check in checks)
        failed[form] += any(check.status is Status.FAILED for check in checks)
        for check in checks:
            if check.status in (Status.FAILED, Status.WARNING):
                print(f"{form} {check.status}: {check.name}: {check.figure}", flush=True)
    _show(counts, failed, options.logs)
    print(f"{perf_counter() - began:,.0f} s")


def _checked_logs(logs: int, seed: int) -> Iterator[tuple[str, tuple[CheckResult, ...]]]:
    world = load_world(ROOT / "data")
    base = load_runtime(load_settings(ROOT / "config.yaml"))
    neighbours = find_neighbours(world, BotifySettings().interest_neighbours)
    for number in range(logs):
        stream = Stream(f"honest {seed} {number}")
        form = ("ours", "botify")[number % 2]
        runtime = _with_experiment(base, form, stream)
        listeners = BotifyListeners(world, neighbours, seed + number)
        with tempfile.TemporaryDirectory(prefix="segue-honest-") as folder:
            log = Path(folder)
            _play(runtime, world, listeners, SIZES[number // 2 % len(SIZES)], seed + number, log)
            if stream.below(2):
                _cut(log, 0.7 + 0.2 * stream.uniform())
            configs = ArchivedConfigs.read(snapshots_beside([log]))
            if form == "botify":
                _rewrite_as_botify(log)
            with read_log([log]) as events:
                (report,) = run_all_checks(events, configs)
        yield form, report.checks


def _with_experiment(base: Runtime, form: str, stream: Stream) -> Runtime:
    """Give half or all of the listeners one experiment with a salt of its own."""
    one, other = PAIRS[stream.below(len(PAIRS))]
    arms = (Arm("C", 50, one), Arm("T1", 50, other))
    salt = f"{stream.word():x}"
    experiment = Experiment(salt if form == "botify" else "honest", arms, salt=salt)
    if form == "botify":
        experiment = replace(experiment, hash="botify")
    elif stream.below(2):
        experiment = replace(experiment, slots=(0, SLOTS // 2))
    settings = replace(base.settings, experiments=(experiment,))
    return load_runtime(settings, base.artifacts)


def _play(
    runtime: Runtime, world: World, listeners: Any, sessions: int, seed: int, folder: Path
) -> None:
    writer = open_log(runtime, folder)
    # The clock moves by some milliseconds a request, as it does between requests over HTTP.
    clock = partial(next, count(START_MS, MS_BETWEEN))
    recommender = DispatcherRecommender(runtime, world, seed, 64, writer, clock, f"honest{seed}")
    InProcessRunner(listeners, recommender, 64).play(listeners.plan_day(0, sessions))
    writer.close()


def _cut(folder: Path, share: float) -> None:
    """End the log while sessions are open, as a copy of a running server's log does."""
    for path in folder.glob("*.jsonl"):
        lines = path.read_bytes().splitlines(keepends=True)
        path.write_bytes(b"".join(lines[: int(share * len(lines))]))
    for path in folder.glob(f"*{END_SUFFIX}"):
        path.unlink()


def _rewrite_as_botify(folder: Path) -> None:
    """Write the events as two servers of botify would have logged them."""
    for path in folder.glob("*.jsonl"):
        events = [orjson.loads(line) for line in path.read_bytes().splitlines()]
        for server in range(2):
            lines = [
                orjson.dumps({field: event.get(field) for field in BOTIFY_FIELDS}) + b"\n"
                for event in events[server::2]
                if event["track"] is not None
            ]
            (folder / f"recommender-{server + 1}.json").write_bytes(b"".join(lines))
        path.unlink()
    for path in folder.glob(f"*{END_SUFFIX}"):
        path.unlink()


def _show(counts: Counter[tuple[str, str, Status]], failed: Counter[str], logs: int) -> None:
    table = Table("check", "ours: made", "failed", "warned", "botify: made", "failed", "warned")
    for name in dict.fromkeys(name for _, name, _ in counts):
        cells = []
        for form in ("ours", "botify"):
            found = {status: counts[form, name, status] for status in Status}
            made = found[Status.PASSED] + found[Status.WARNING] + found[Status.FAILED]
            cells += [str(made), str(found[Status.FAILED]), str(found[Status.WARNING])]
        table.add_row(name, *cells)
    Console(width=110).print(table)
    print(f"{failed.total()} of {logs} honest logs are called not valid")


if __name__ == "__main__":
    run()
