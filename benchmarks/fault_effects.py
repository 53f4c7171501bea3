"""The effect of each planted fault: `python -m benchmarks.fault_effects LOG`.

Plants every fault of `segue doctor` into a log of simulated listeners, and prints a row of the
table in docs/verification.md for each: what finds it, and the lift of the mean session time without
and with it, as if no check were there. LOG is the log of `segue simulate --episodes 20000`.
"""

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.suite import run_checks
from audit.injected_faults import known_faults
from audit.log_faults import REPLAY_FAULTS, CleanLog, FaultNotApplicable, LogLines, write
from audit.server_faults import SERVER_FAULTS
from events.config_snapshots import snapshots_beside
from events.event_files import find_event_files
from events.merge import merge_events
from events.reader import open_log


def run() -> None:
    """Plant, measure, and print the rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fault_effects")
    parser.add_argument("log", type=Path)
    parser.add_argument("--experiment", default="toppop_after_skip")
    options = parser.parse_args()
    configs = ArchivedConfigs.read(snapshots_beside([options.log]))
    clean = _clean_log(options.log, configs, options.experiment)
    before: dict[object, tuple[str, list[str]]] = {}
    for fault in (*known_faults(), *REPLAY_FAULTS):
        if fault.before not in before:
            before[fault.before] = _measure(fault.before(clean), configs, options.experiment)
        lift, failing = before[fault.before]
        try:
            changed, failed = _measure(fault.inject(clean), configs, options.experiment)
        except FaultNotApplicable as reason:
            print(f"| {fault.name} | {fault.what} | not here: {reason} | |", flush=True)
            continue
        found = [name for name in failed if name not in failing]
        if fault in REPLAY_FAULTS:
            found = list(fault.found_by)
        checks = ", ".join(f"`{name}`" for name in found)
        print(f"| {fault.name} | {fault.what} | {checks} | {lift} -> {changed} |", flush=True)
    for name, what, _ in SERVER_FAULTS:
        print(f"| {name} | {what} | canary | |")


def _clean_log(log: Path, configs: ArchivedConfigs, experiment: str) -> CleanLog:
    """Take the experiment's own events; the faults are about them."""
    lines = merge_events(find_event_files([log]), lambda *_: None)
    events = [event for event, _ in lines if experiment in event["experiments"]]
    archived = configs.by_digest[events[0]["config"]]
    # The ids of a process must count its lines without gaps: other experiments' lines are gone.
    counted = [{**event, "decision": f"trial-{n:x}"} for n, event in enumerate(events, start=1)]
    return CleanLog(counted, archived, archived.experiments[experiment])


def _measure(lines: LogLines, configs: ArchivedConfigs, experiment: str) -> tuple[str, list[str]]:
    """Return the lift of the mean session time, and the checks that fail."""
    with tempfile.TemporaryDirectory(prefix="segue-fault-") as folder:
        write(lines, Path(folder))
        with open_log([folder]) as log:
            failed = [check.name for check in run_checks(log, configs, experiment).failed]
            means = log.query(
                "SELECT avg(mean_time_all) FROM listeners WHERE experiment = ? "
                "GROUP BY arm ORDER BY arm",
                [experiment],
            )
    return _lift([mean for (mean,) in means]), failed


def _lift(means: Sequence[float | None]) -> str:
    if len(means) != 2 or not means[0] or means[1] is None:
        return "none"
    return f"{means[1] / means[0] - 1:+.1%}"


if __name__ == "__main__":
    run()
