"""Strategies that raise: no arm may measure its failures."""

from pathlib import Path

import pytest

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import CheckResult, Status
from audit.log_faults import CleanLog
from tests.analysis.trial_log import check_log, trial_log

Base = tuple[CleanLog, ArchivedConfigs]
FAILED = [{"strategy": "improved", "error": "KeyError"}]


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return trial_log(tmp_path_factory.mktemp("trial"))


def check(base: Base, folder: Path, arm: str, every: int, answered: bool) -> CheckResult:
    """The check of a log in which every n-th decision of an arm met a failing strategy."""
    clean, archived_configs = base
    lines, turns = clean.copy(), 0
    for _, event in list(lines):
        assert isinstance(event, dict)
        if event["message"] == "next" and event["experiments"].get("fallback") == arm:
            turns += 1
            if turns % every == 0 and answered:
                event["failed"] = FAILED
            elif turns % every == 0:
                error = {**event, "decision": f"{event['decision']}0", "message": "error"}
                error |= {"session": None, "turn": None, "failed": FAILED}
                lines.append(("events-2.jsonl", error))
    validity = check_log(lines, folder, archived_configs)
    (found,) = [each for each in validity.checks if each.name == "failures"]
    return found


def test_a_clean_log_has_no_failures(base: Base, tmp_path: Path) -> None:
    found = check(base, tmp_path, "T1", 10**9, answered=True)
    assert (found.status, found.figure) == (Status.PASSED, "C 0.00%, T1 0.00%")


@pytest.mark.parametrize("answered", [True, False], ids=["the-chain-went-on", "nobody-answered"])
def test_an_arm_whose_strategy_fails_often_is_an_alarm(
    base: Base, tmp_path: Path, answered: bool
) -> None:
    found = check(base, tmp_path, "T1", 5, answered)
    assert found.status is Status.FAILED
    assert "of the turns of arm T1" in found.explanation
    assert found.numbers["C"] == 0
    assert found.numbers["T1"] == pytest.approx(0.2 if answered else 1 / 6, abs=0.01)
    assert "KeyError" in found.examples[0].what


def test_few_failures_in_one_arm_alone_are_a_warning(base: Base, tmp_path: Path) -> None:
    found = check(base, tmp_path, "T1", 120, answered=True)
    assert found.status is Status.WARNING
    assert 0 < found.numbers["T1"] < 0.01
