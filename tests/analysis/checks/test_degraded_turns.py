"""Turns that were decided without the shared state: counted by arm, and every arm alike."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import CheckResult, Status
from audit.log_faults import CleanLog
from tests.analysis.trial_log import check_log, trial_log

Base = tuple[CleanLog, ArchivedConfigs]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return trial_log(tmp_path_factory.mktemp("trial"))


def check(base: Base, folder: Path, is_lost: Callable[[int, str], bool]) -> list[CheckResult]:
    """Check a log with more turns, those of an outage; `is_lost` gets a number and the arm."""
    clean, archived_configs = base
    lines = clean.copy()
    for number, (_, event) in enumerate(list(lines)):
        assert isinstance(event, dict)
        if is_lost(number, event["experiments"].get("fallback", "")):
            more: dict[str, Any] = {"degraded": True, "session": None, "turn": None}
            lines.append(("events-2.jsonl", {**event, "decision": f"out-{number:x}", **more}))
    validity = check_log(lines, folder, archived_configs)
    return [each for each in validity.checks if each.name == "degraded"]


def test_a_log_without_an_outage_has_no_such_check(base: Base, tmp_path: Path) -> None:
    assert check(base, tmp_path, lambda number, arm: False) == []


def test_a_short_outage_is_a_warning_with_the_share_of_each_arm(base: Base, tmp_path: Path) -> None:
    (found,) = check(base, tmp_path, lambda number, arm: number % 100 == 0)
    assert found.status is Status.WARNING
    assert found.numbers["C"] == pytest.approx(0.01, abs=0.005)
    assert found.numbers["T1"] == pytest.approx(0.01, abs=0.005)


def test_a_long_outage_is_a_failure(base: Base, tmp_path: Path) -> None:
    (found,) = check(base, tmp_path, lambda number, arm: number % 5 == 0)
    assert found.status is Status.FAILED
    assert "of the turns" in found.explanation


def test_an_outage_of_one_arm_is_a_failure(base: Base, tmp_path: Path) -> None:
    (found,) = check(base, tmp_path, lambda number, arm: arm == "T1" and number % 30 == 0)
    assert found.status is Status.FAILED
    assert "the arms do not compare" in found.explanation
    assert found.numbers["C"] == 0
