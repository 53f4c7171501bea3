"""Times on one scale in all arms: honest differences pass, other units do not."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import CheckResult, Status
from analysis.checks.suite import run_all_checks
from events.reader import open_log
from tests import logs

Event = dict[str, Any]


def check(
    name: str, folder: Path, change: Callable[[Event], float], plan: logs.Plan | None = None
) -> CheckResult:
    events = logs.listening(plan or logs.Plan(listeners=400))
    logs.write_ours(folder, [{**event, "time": change(event)} for event in events])
    with open_log([folder]) as log:
        (report,) = run_all_checks(log, ArchivedConfigs())
    return report.check(name)


def in_t1(event: Event) -> bool:
    return bool(event["experiments"].get("fallback") == "T1")


def varied(event: Event) -> float:
    """First times that vary by listener, as when an app's start page chose the track."""
    return (event["user"] % 70) / 100 if event["turn"] == 1 else round(event["time"], 2)


def test_first_tracks_are_alike_although_an_arm_is_better(tmp_path: Path) -> None:
    arms = {"C": logs.Effect(), "T1": logs.Effect(lift=0.5, stay=0.9)}
    plan = logs.Plan(arms=arms, listeners=600)

    found = check("first-tracks", tmp_path, varied, plan)

    assert found.status is Status.PASSED
    assert sum(found.numbers["listeners"].values()) == 600


def test_first_times_that_are_always_1_are_compared_too(tmp_path: Path) -> None:
    found = check("first-tracks", tmp_path / "1", lambda event: event["time"])
    assert (found.status, found.figure) == (Status.PASSED, "mean time C 1.000, T1 1.000")

    found = check(
        "first-tracks", tmp_path / "2", lambda event: event["time"] / (2 if in_t1(event) else 1)
    )
    assert (found.status, found.figure) == (Status.FAILED, "mean time C 1.000, T1 0.500")


def test_an_equal_mean_with_another_spread_fails(tmp_path: Path) -> None:
    def narrow(event: Event) -> float:
        return 0.345 + (varied(event) - 0.345) / 4 if in_t1(event) else varied(event)

    found = check("first-tracks", tmp_path, narrow)

    assert found.status is Status.FAILED
    assert found.explanation.startswith("The spread of these times differ")


def test_a_first_track_that_was_recommended_before_is_left_out(tmp_path: Path) -> None:
    """A listener who comes back reports the last recommended track: an arm chose that one."""
    events = [event for event in logs.listening(logs.Plan(listeners=50)) if event["turn"] == 1]
    again = [
        {**event, "turn": 2, "session": f"again {event['user']}", "decision": f"e{event['user']}",
         "timestamp": event["timestamp"] + logs.DAY_MS, "track": event["recommendation"]}
        for event in events
    ]  # fmt: skip
    logs.write_ours(tmp_path, [*({**e, "track": None, "time": None} for e in events), *again])
    with open_log([tmp_path]) as log:
        (report,) = run_all_checks(log, ArchivedConfigs())

    assert report.check("first-tracks").status is Status.NOT_MADE


def test_a_better_arm_reports_on_the_same_scale(tmp_path: Path) -> None:
    arms = {"C": logs.Effect(), "T1": logs.Effect(lift=0.3)}

    found = check("time-scale", tmp_path, varied, logs.Plan(arms=arms, listeners=600))

    assert (found.status, found.figure) == (Status.PASSED, "C hundredths, T1 hundredths")


@pytest.mark.parametrize(
    ("change", "figure"),
    [
        (lambda time: round(time, 1), "C hundredths, T1 tenths"),
        (lambda time: float(round(time)), "C hundredths, T1 whole numbers"),
        (lambda time: time / 100, "C hundredths, T1 finer"),
        (lambda time: round(time / 100, 2), "C hundredths, T1 hundredths"),
    ],
    ids=["tenths", "whole numbers", "a hundredth", "a hundredth, rounded"],
)
def test_another_scale_in_one_arm_fails(
    change: Callable[[float], float], figure: str, tmp_path: Path
) -> None:
    def scaled(event: Event) -> float:
        return change(varied(event)) if in_t1(event) else varied(event)

    found = check("time-scale", tmp_path, scaled)

    assert (found.status, found.figure) == (Status.FAILED, figure)


def test_many_more_full_listens_are_a_warning(tmp_path: Path) -> None:
    def full(event: Event) -> float:
        return 1.0 if in_t1(event) and event["turn"] % 2 else varied(event)

    found = check("time-scale", tmp_path, full)

    assert found.status is Status.WARNING
    assert "time 1: C " in found.figure


def test_hundredths_that_one_arm_never_reports_fail(tmp_path: Path) -> None:
    """Times that are 20 % too long, and rounded: no mean of first tracks shows it if all are 1."""

    def longer(event: Event) -> float:
        time = round(event["time"], 2)
        return min(1.0, round(1.2 * time, 2)) if in_t1(event) else time

    found = check("time-scale", tmp_path, longer, logs.Plan(listeners=4000))

    assert found.status is Status.FAILED
    assert found.explanation.startswith("Arm T1 never reports ")
