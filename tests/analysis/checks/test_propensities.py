"""Propensities that can be: in (0, 1], and even where the config says so."""

from pathlib import Path
from typing import Any

import pytest

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import Status
from audit.log_faults import CleanLog
from audit.synthetic_traffic import SyntheticTraffic
from events.config_snapshots import snapshots_beside
from tests.analysis.trial_log import check_log, events_of, trial_log
from tests.service import loaded

Base = tuple[CleanLog, ArchivedConfigs]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return trial_log(tmp_path_factory.mktemp("trial"))


def changed(base: Base, folder: Path, **change: Any) -> Any:
    clean, archived_configs = base
    lines = clean.copy()
    event = next(e for _, e in lines if isinstance(e, dict) and e.get("answered_by") == "popular")
    event.update(change)
    return check_log(lines, folder, archived_configs).check("propensity"), event


@pytest.mark.parametrize(
    "change",
    [{"propensity": 0.0}, {"propensity": 1.5}, {"propensity": None}, {"candidates": 0},
     {"propensity": 0.017}],
    ids=str,
)  # fmt: skip
def test_one_impossible_decision_is_named(
    change: dict[str, Any], base: Base, tmp_path: Path
) -> None:
    check, event = changed(base, tmp_path, **change)

    assert check.status is Status.FAILED
    assert check.figure.startswith("1 of ")
    (example,) = check.examples
    arm = event["experiments"]["fallback"]
    assert example.what.startswith(f"arm {arm}, answered by popular: propensity ")


def test_requests_of_every_kind_have_possible_propensities(tmp_path: Path) -> None:
    serving = loaded(tmp_path)
    with SyntheticTraffic(serving, tmp_path / "log") as traffic:
        traffic.play(range(200), 600)
    archived_configs = ArchivedConfigs.read(snapshots_beside([tmp_path / "log"]))
    lines = [("events-1.jsonl", event) for event in events_of(tmp_path / "log")]

    check = check_log([*lines], tmp_path / "copy", archived_configs).check("propensity")

    assert check.status is Status.PASSED
    assert check.numbers["decisions"] > 1000
