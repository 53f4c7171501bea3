"""The check `canary`: an arm that always plays one track shows which arm was played."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from analysis.checks.archived_configs import ArchivedConfigs, botify_experiment
from analysis.checks.constant_arm import constant_arm_check
from analysis.checks.result import CheckResult, Status
from analysis.checks.suite import MoreChecks, run_all_checks
from cli.main import build
from core.allocation import Allocation
from events.reader import open_log
from tests.analysis.checks.test_botify_arms import NAME, sessions
from tests.logs import text

ARMS = ["C", "T1", "T2"]


def constant(played_by: str) -> list[dict[str, Any]]:
    """Sessions in which the listeners of T1, by the hash of a name, get track 1000 and no other."""
    allocation = Allocation([botify_experiment(played_by, ARMS)])
    events = sessions(ARMS)
    for event, after in zip(events, [*events[1:], {}], strict=True):
        arm = allocation.assign(str(event["user"])).arms[played_by]
        if arm == "T1" and event["message"] == "next":
            event["recommendation"] = after["track"] = 1000
    return events


def check(events: Sequence[dict[str, Any]], folder: Path, **tracks: str) -> CheckResult:
    (folder / "recommender.json").write_bytes(text(events))
    more = MoreChecks(of_experiment=(constant_arm_check(tracks),))
    with open_log([folder], threads=1) as log:
        (validity,) = run_all_checks(log, ArchivedConfigs(), [NAME], more=more)
    return validity.check("canary")


def test_an_arm_that_plays_its_track_and_nothing_else_passes(tmp_path: Path) -> None:
    events = constant(NAME)
    answers = sum(e["recommendation"] == 1000 for e in events)
    found = check(events, tmp_path, T1="1000")
    assert (found.status, found.figure) == (Status.PASSED, f"T1 {answers} of {answers}")


def test_the_arm_in_the_log_is_not_the_arm_that_was_played(tmp_path: Path) -> None:
    """The fault that botify had: the logger took the arm from another experiment's hash."""
    found = check(constant("ANOTHER"), tmp_path, T1="1000")
    assert found.status is Status.FAILED
    played, answers = found.numbers["played"]["T1"]["T1"]
    assert 0 < played < answers / 2
    assert found.figure == f"T1 {played} of {answers}"
    assert f"in {played / answers:.1%} of their answers" in found.explanation
    assert "remaining arms: C " in found.explanation
    assert len(found.examples) == 10
    assert found.examples[0].where.startswith(f"{tmp_path}/recommender.json:")
    assert found.examples[0].what.endswith(", not 1000")


def test_one_answer_of_another_track_is_enough_and_is_named(tmp_path: Path) -> None:
    events = constant(NAME)
    place = next(n for n, e in enumerate(events) if e["recommendation"] == 1000)
    events[place]["recommendation"] = 7
    found = check(events, tmp_path, T1="1000")
    assert found.status is Status.FAILED
    (example,) = found.examples
    assert example.where == f"{tmp_path}/recommender.json:{place + 1}"
    user = events[place]["user"]
    assert example.what == f"listener {user} is logged in T1 and got track 7, not 1000"


def test_an_arm_without_an_answer_proves_nothing(tmp_path: Path) -> None:
    found = check(sessions(["C", "T2"]), tmp_path, T1="1000")
    assert (found.status, found.figure) == (Status.NOT_MADE, "no answer in T1")


@pytest.mark.parametrize(
    ("option", "message"),
    [("T1", "must be ARM=TRACK, as in T1=1000, got 'T1'"), ("T9=1", "unknown arm 'T9'")],
)
def test_a_faulty_option_says_what_there_is(option: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "recommender.json").write_bytes(text(sessions(ARMS)))
    result = CliRunner().invoke(build(), ["verify", str(tmp_path), "--canary", option])
    assert message in str(result.exception)


def test_the_command_checks_a_constant_arm(tmp_path: Path) -> None:
    (tmp_path / "recommender.json").write_bytes(text(constant("ANOTHER")))
    runner = CliRunner(env={"COLUMNS": "200"})
    result = runner.invoke(build(), ["verify", str(tmp_path), "--canary", "T1=1000"])
    assert result.exit_code == 1
    assert f"{NAME} is not valid: canary" in result.output
