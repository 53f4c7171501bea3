"""A clean log of ours over the small world, to inject faults into, and its checks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import ValidityReport
from analysis.checks.suite import run_checks
from audit.log_faults import CleanLog, LogLines, write
from audit.synthetic_traffic import SyntheticTraffic
from events.config_snapshots import snapshots_beside
from events.reader import open_log
from tests.service import loaded

EXPERIMENT = "fallback"


def trial_log(
    folder: Path,
    sessions: int = 1200,
    listeners: int = 400,
    change: Callable[[dict[str, Any]], object] | None = None,
) -> tuple[CleanLog, ArchivedConfigs]:
    """Play sessions against the small world's server, and take its log."""
    serving = loaded(folder, change)
    with SyntheticTraffic(serving, folder / "log", plain=True) as trial:
        trial.play(range(listeners), sessions)
    archived_configs = ArchivedConfigs.read(snapshots_beside([folder / "log"]))
    archived = archived_configs.by_digest[serving.digest]
    clean = CleanLog(events_of(folder / "log"), archived, archived.experiments[EXPERIMENT])
    return clean, archived_configs


def events_of(folder: Path) -> list[dict[str, Any]]:
    """Every event in a log folder, in the order written."""
    return [
        orjson.loads(line)
        for path in sorted(folder.glob("*.jsonl"))
        for line in path.read_bytes().splitlines()
    ]


def check_log(
    lines: LogLines, folder: Path, archived_configs: ArchivedConfigs, experiment: str = EXPERIMENT
) -> ValidityReport:
    """Check a log."""
    write(lines, folder)
    with open_log([folder], threads=1) as log:
        return run_checks(log, archived_configs, experiment)


def failed(validity: ValidityReport) -> list[str]:
    """Names of the checks that failed."""
    return [check.name for check in validity.failed]
