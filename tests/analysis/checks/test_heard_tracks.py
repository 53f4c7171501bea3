"""What was heard against what was told: the level over the log, and the share by arm."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import Status, ValidityReport
from audit.heard_faults import alternate_servers, recommend_other_tracks, retry_without_key
from audit.log_faults import CleanLog, Event, LogLines
from tests import needs
from tests.analysis.trial_log import check_log, trial_log

Base = tuple[CleanLog, ArchivedConfigs]
CASE = "cases/logs/two_servers_round_robin"


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Base:
    return trial_log(tmp_path_factory.mktemp("trial"))


def followed(clean: CleanLog, change: Callable[[int, Event, Event], None]) -> LogLines:
    """Change the log by pairs of a decision and the event that follows it, numbered from 0."""
    lines = clean.copy()
    last: dict[Any, Event] = {}
    number = 0
    for _, event in lines:
        assert isinstance(event, dict)
        before = last.get(event["user"])
        if before is not None and before["session"] == event["session"]:
            change(number, before, event)
            number += 1
        last[event["user"]] = event
    return lines


def other_track(every: int, **marks: Any) -> Callable[[int, Event, Event], None]:
    """Let one listen in `every` be of a different track, and mark the turn that recommended."""

    def change(number: int, before: Event, event: Event) -> None:
        if number % every == 0:
            before["recommendation"] = 1_000_000 + number
            before.update(marks)

    return change


def test_every_listen_of_a_clean_log_was_told(base: Base, tmp_path: Path) -> None:
    clean, archived_configs = base

    validity = check_log(clean.copy(), tmp_path, archived_configs)

    check = validity.check("played")
    assert check.status is Status.PASSED
    assert check.numbers["broken"] == 0
    assert check.numbers["followed"] > 4000
    by_arm = validity.check("played-by-arm")
    assert (by_arm.status, by_arm.figure) == (Status.PASSED, "C 0.00% not, T1 0.00% not")


@pytest.mark.parametrize(
    ("every", "status"),
    [(200, Status.PASSED), (40, Status.WARNING), (3, Status.WARNING), (1, Status.FAILED)],
)
def test_the_level_warns_from_1_percent_and_fails_above_half(
    every: int, status: Status, base: Base, tmp_path: Path
) -> None:
    clean, archived_configs = base

    validity = check_log(followed(clean, other_track(every)), tmp_path, archived_configs)

    check = validity.check("played")
    assert check.status is status
    assert check.numbers["broken"] == -(-check.numbers["followed"] // every)
    assert validity.check("played-by-arm").status is Status.PASSED
    if status is not Status.PASSED:
        assert check.examples[0].where.startswith(f"{tmp_path}/events-1.jsonl:")


def test_any_of_several_recommendations_counts_as_told(base: Base, tmp_path: Path) -> None:
    clean, archived_configs = base

    def change(number: int, before: Event, event: Event) -> None:
        if before["message"] == "next":
            before["recommendations"] = [before["recommendation"], event["track"], 5]
            before["recommendation"] = 5

    validity = check_log(followed(clean, change), tmp_path, archived_configs)

    assert validity.check("played").numbers["broken"] == 0


@pytest.mark.parametrize(
    "marks",
    [{"forced": True}, {"seat": True}, {"failed": [{"strategy": "popular", "error": "late"}]}],
    ids=str,
)
def test_turns_that_may_well_play_something_else_are_left_out(
    marks: dict[str, Any], base: Base, tmp_path: Path
) -> None:
    clean, archived_configs = base
    change = other_track(10, **marks)

    check = check_log(followed(clean, change), tmp_path, archived_configs).check("played")

    assert check.numbers["broken"] == 0


def test_a_track_of_a_turn_without_state_was_told(base: Base, tmp_path: Path) -> None:
    clean, archived_configs = base
    extra: LogLines = []

    def change(number: int, before: Event, event: Event) -> None:
        if number == 0:
            event["track"] = 999_999
            degraded = {**before, "recommendation": 999_999, "decision": "elsewhere-1"}
            extra.append(
                ("events-2.jsonl", degraded | {"degraded": True, "session": None, "turn": None})
            )

    lines = followed(clean, change)

    alone = check_log(lines, tmp_path / "alone", archived_configs).check("played")
    both = check_log([*lines, *extra], tmp_path / "both", archived_configs).check("played")

    assert (alone.numbers["broken"], both.numbers["broken"]) == (1, 0)


def test_the_arm_is_named_with_its_share(base: Base, tmp_path: Path) -> None:
    clean, archived_configs = base

    validity = check_log(recommend_other_tracks(0.05)(clean), tmp_path, archived_configs)

    check = validity.check("played-by-arm")
    assert check.status is Status.FAILED
    assert check.numbers["C"] == 0
    assert 0.03 < check.numbers["T1"] < 0.07
    assert "In arm T1" in check.explanation
    assert check.examples


def test_retries_are_named_as_the_cause(base: Base, tmp_path: Path) -> None:
    clean, archived_configs = base

    check = check_log(retry_without_key(clean), tmp_path, archived_configs).check("played")

    assert check.status is Status.WARNING
    assert "Idempotency-Key" in check.explanation


def test_servers_without_shared_state_are_named_as_the_cause(base: Base, tmp_path: Path) -> None:
    clean, archived_configs = base

    check = check_log(alternate_servers(clean), tmp_path, archived_configs).check("played")

    assert check.status is Status.FAILED
    assert check.numbers["broken"] > 0.9 * check.numbers["followed"]
    assert "without a shared state" in check.explanation


def test_with_own_choice_no_level_fails_and_a_difference_only_warns(tmp_path: Path) -> None:
    clean, archived_configs = trial_log(
        tmp_path / "trial", change=lambda config: config.update({"report": {"own_choice": True}})
    )
    assert archived_configs.own_choice

    everywhere = check_log(followed(clean, other_track(1)), tmp_path / "1", archived_configs)
    one_arm = check_log(recommend_other_tracks(1.0)(clean), tmp_path / "2", archived_configs)

    assert everywhere.check("played").status is Status.PASSED
    assert one_arm.check("played-by-arm").status is Status.WARNING


@needs.shared(CASE)
def test_the_reported_log_of_two_servers_fails(tmp_path: Path) -> None:
    from analysis.checks.suite import run_all_checks
    from events.config_snapshots import snapshots_beside
    from events.reader import open_log

    folders = sorted((needs.SHARED / CASE).iterdir())
    with open_log(folders) as log:
        (validity,) = run_all_checks(log, ArchivedConfigs.read(snapshots_beside(folders)))

    assert isinstance(validity, ValidityReport)
    assert [check.name for check in validity.failed] == ["played"]
    assert validity.check("played").numbers["broken"] == 1776
