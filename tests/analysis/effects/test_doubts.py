"""Metrics that support no claim: one listener holds much, or values are not finite."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from analysis.checks.analysed import check_heavy_listener
from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.context import CheckContext
from analysis.checks.result import CheckResult, Status, ValidityReport
from analysis.effects.experiments import analyse_experiment
from analysis.effects.metrics import STANDARD, Metric
from analysis.effects.plans import ChosenPlan, ExperimentPlan
from analysis.effects.report_options import ReportOptions
from analysis.effects.results import Effect, ExperimentResult
from analysis.statistics.concentration import FAIR_SHARES, HEAVY_SHARE, is_heavy
from core.allocation import Arm, Experiment
from events.reader import EventLog, open_log
from tests import logs

SOUND = ValidityReport(
    "fallback", (CheckResult("assignment", "Is it so?", Status.PASSED, "all agree"),)
)
DEFINITION = Experiment("fallback", (Arm("C", 50.0, "plain"), Arm("T1", 50.0, "improved")))
RATIOS = ("time_per_session", "skips", "latency")


def with_robot(sessions: int) -> list[dict[str, Any]]:
    """Two equal arms, and one listener of T1 who hears every track to its end, all day."""
    events = logs.listening(logs.Plan(listeners=300, sessions=1))
    robot = next(event["user"] for event in events if event["experiments"]["fallback"] == "T1")
    first = [event for event in events if event["user"] == robot]
    for number in range(1, sessions + 1):
        later = number * 10 * 60_000
        for event in first:
            turn = event["turn"] + number * len(first)
            events.append(
                {
                    **event,
                    "timestamp": event["timestamp"] + later,
                    "turn": turn,
                    "time": 1.0,
                    "decision": f"d{robot}-{turn}",
                    "session": f"s{robot}-{number}",
                }
            )
    return events


@pytest.fixture(scope="module")
def robot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventLog]:
    folder = tmp_path_factory.mktemp("robot")
    logs.write_ours(folder, with_robot(1000))
    with open_log([folder]) as log:
        yield log


@pytest.fixture(scope="module")
def alike(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventLog]:
    folder = tmp_path_factory.mktemp("alike")
    logs.write_ours(folder, logs.listening(logs.Plan(listeners=300, sessions=2)))
    with open_log([folder]) as log:
        yield log


def analysed(log: EventLog, **changes: Any) -> ExperimentResult:
    everybody = log.one("SELECT count(*) FROM listeners")
    plan = ChosenPlan(ExperimentPlan(listeners=everybody), "sealed")
    options = replace(ReportOptions(STANDARD[0], STANDARD[1:], plan=plan), **changes)
    return analyse_experiment(log, "fallback", SOUND, DEFINITION, options)


def of(result: ExperimentResult, name: str) -> Effect:
    effects = (*result.primary, *result.secondary, *result.guardrails)
    return next(effect for effect in effects if effect.metric.name == name)


def test_a_robot_is_named_and_ratios_of_totals_claim_nothing(robot: EventLog) -> None:
    result = analysed(robot)

    for name in RATIOS:
        effect = of(result, name)
        assert effect.claim is None
        assert effect.lift is None
        assert effect.difference is None
        assert effect.p is None
    assert of(result, "session_time").lift is not None
    (note,) = [note for note in result.notes if "sessions." in note and "holds" in note]
    assert note.startswith("No estimate of session time, pooled: listener ")
    assert note.endswith("% of T1's sessions.")


def test_a_ratio_as_the_primary_metric_says_in_the_verdict_who_holds_much(robot: EventLog) -> None:
    pooled = next(metric for metric in STANDARD if metric.name == "time_per_session")
    result = analysed(robot, primary=pooled, others=(), segments=("day",))

    assert "holds" in result.verdicts[0]
    assert "raises" not in result.verdicts[0]
    assert "significant" not in result.verdicts[0]
    assert result.segments == ()


def test_without_a_robot_every_ratio_has_an_estimate(alike: EventLog) -> None:
    result = analysed(alike)

    assert all(of(result, name).difference is not None for name in RATIOS)
    assert not any("No estimate" in note or "with a value" in note for note in result.notes)


def test_the_check_names_the_listener_and_forbids_nothing(robot: EventLog, alike: EventLog) -> None:
    with CheckContext(robot, ArchivedConfigs()) as context:
        found = check_heavy_listener(context, "fallback")
    with CheckContext(alike, ArchivedConfigs()) as context:
        passed = check_heavy_listener(context, "fallback")

    assert found.status is Status.WARNING
    user = found.numbers["T1"]["listener"]
    assert found.numbers["T1"]["share"] > 0.8
    assert f"Listener {user} holds" in found.explanation
    assert passed.status is Status.PASSED


@pytest.mark.parametrize(
    ("share", "listeners", "heavy"),
    [(HEAVY_SHARE, 1000, False), (0.11, 1000, True), (0.3, 10, False), (0.6, 10, True)],
    ids=["at-the-limit", "above-it", "in-a-small-arm", "most-of-a-small-arm"],
)
def test_a_share_is_heavy_by_itself_and_beside_an_equal_share(
    share: float, listeners: int, heavy: bool
) -> None:
    assert is_heavy(share, listeners) is heavy
    assert FAIR_SHARES > 1


BARE = "(skips * 1.0) / (listens - 2)"


def test_a_value_that_is_not_finite_leaves_the_metric_without_an_estimate(alike: EventLog) -> None:
    infinite = alike.query(
        "SELECT \"user\" FROM listeners WHERE experiment = 'fallback' AND listens = 2 ORDER BY 1"
    )
    result = analysed(alike, primary=Metric("bare", "bare", BARE), segments=("day",))

    effect = of(result, "bare")
    assert effect.difference is None
    assert effect.claim is None
    assert (
        f"not finite for {len(infinite)} listeners, for instance {infinite[0][0]}." in effect.note
    )
    assert "`nullif(" in effect.note
    assert "not finite" in result.verdicts[0]
    assert result.segments == ()
    assert result.alternatives == ()


def test_with_nullif_the_metric_has_its_own_number_of_listeners(alike: EventLog) -> None:
    metric = Metric("bare", "bare", BARE.replace("(listens - 2)", "nullif(listens - 2, 0)"))
    known = dict(alike.query("SELECT arm, count(*) FROM listeners WHERE listens <> 2 GROUP BY arm"))
    everybody = dict(alike.query("SELECT arm, count(*) FROM listeners GROUP BY arm"))

    result = analysed(alike, primary=metric)

    effect = of(result, "bare")
    assert effect.difference is not None
    assert (effect.control_n, effect.treatment_n) == (known["C"], known["T1"])
    (note,) = [note for note in result.notes if note.startswith("bare: ")]
    assert f"C {known['C']} of {everybody['C']}, T1 {known['T1']} of {everybody['T1']}" in note


def test_a_metric_that_one_arm_lacks_more_often_is_said_to_compare_unlike_listeners(
    alike: EventLog,
) -> None:
    metric = Metric("odd", "odd", "CASE WHEN arm = 'C' OR listens > 6 THEN listens END")

    result = analysed(alike, primary=metric)

    (note,) = [note for note in result.notes if note.startswith("odd: ")]
    assert "unlike listeners" in note
