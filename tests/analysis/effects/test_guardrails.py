"""The margin of a guardrail decides its word and its colour: this is a test of non-inferiority."""

from dataclasses import replace

import pytest

from analysis.checks.result import ValidityReport
from analysis.effects.guardrails import ALIKE, DEFAULT_MARGINS, parse_margins, with_margins
from analysis.effects.metrics import LATENCY_P99, STANDARD, Metric
from analysis.effects.results import Effect, ExperimentResult, PlannedSize
from analysis.effects.verdict import describe_harm
from analysis.rendering import cells
from analysis.statistics.contrast import Interval
from core.errors import Faults, InputError

METRICS = {metric.name: metric for metric in (*STANDARD, LATENCY_P99)}
RESULT = ExperimentResult(
    "e", "C", (), (0, 1), ValidityReport("e", ()), PlannedSize(None, "", 0), "fixed", False, (), {}
)


def effect(metric: str, difference: Interval | None, lift: Interval | None = None) -> Effect:
    return Effect(METRICS[metric], "C", "T1", 400, 400, 1.0, 1.0, difference, lift, claim="up")


def judged(found: Effect, margin: str | float) -> Effect:
    faults = Faults()
    margins = parse_margins({found.metric.name: margin}, METRICS.values(), faults, "here")
    faults.raise_if_any()
    return with_margins([found], margins)[0]


@pytest.mark.parametrize(
    ("low", "high", "guard", "mood"),
    [
        (0.01, 0.03, "within", "good"),
        (0.5, 1.5, "unclear", ""),
        (-0.5, 0.99, "within", "good"),
        (1.2, 2.0, "beyond", "bad"),
        (-3.0, -2.0, "within", "good"),
    ],
    ids=["a-sure-but-tiny-loss", "astride", "no-sure-loss", "a-loss", "a-gain"],
)
def test_a_latency_is_held_to_its_margin(low: float, high: float, guard: str, mood: str) -> None:
    found = judged(effect("latency_p99", Interval((low + high) / 2, low, high)), "1 ms")
    assert (found.guard, found.margin) == (guard, "1 ms")
    assert cells.mood(found, RESULT) == mood


@pytest.mark.parametrize(
    ("low", "high", "guard"),
    [(-0.04, 0.04, "within"), (-0.08, -0.06, "beyond"), (0.06, 0.3, "beyond"),
     (-0.06, 0.01, "unclear")],
)  # fmt: skip
def test_a_metric_without_a_good_direction_may_move_to_neither_side(
    low: float, high: float, guard: str
) -> None:
    lift = Interval(0.0, low, high)
    found = judged(effect("sessions", lift, lift), "5 %")
    assert found.guard == guard
    assert cells.mood(found, RESULT) == {"within": "good", "beyond": "warn", "unclear": ""}[guard]
    assert cells.guard(found).startswith("moved") == (guard == "beyond")


def test_where_more_is_better_the_loss_counts() -> None:
    lift = Interval(-0.04, -0.06, -0.02)
    assert judged(effect("tracks", lift, lift), "10 %").guard == "within"
    assert judged(effect("tracks", lift, lift), "1 %").guard == "beyond"


def test_two_large_arms_that_are_all_alike_are_within_every_margin() -> None:
    nothing = effect("fallbacks", None)
    assert judged(nothing, "1 pp").guard == "within"
    assert judged(replace(nothing, control_n=ALIKE - 1), "1 pp").guard is None
    assert judged(replace(nothing, treatment_mean=0.5), "1 pp").guard is None


def test_every_standard_guardrail_has_a_margin() -> None:
    guardrails = {metric.name for metric in METRICS.values() if metric.role == "guardrail"}
    assert guardrails == set(DEFAULT_MARGINS)
    faults = Faults()
    margins = parse_margins({"latency": 0.5}, METRICS.values(), faults, "here")
    assert {name: margin.text for name, margin in margins.items()} == {
        **DEFAULT_MARGINS, "latency": "0.5 ms",
    }  # fmt: skip
    assert margins["fallbacks"].size == 0.01


@pytest.mark.parametrize(
    ("name", "margin", "message"),
    [
        ("latency_p9", "1 ms", "unknown metric 'latency_p9'. Did you mean 'latency_p99'"),
        ("latency", "0 ms", "must be a margin above 0"),
        ("latency", "-1 ms", "must be a margin above 0"),
        ("latency", "1 pp", "`1 pp` for a share; got '1 pp'"),
        ("skips", "1 ms", "`1 ms` for a latency"),
        ("skips", "some", "got 'some'"),
    ],
)
def test_a_faulty_margin_is_named(name: str, margin: str, message: str) -> None:
    faults = Faults()
    parse_margins({name: margin}, METRICS.values(), faults, "report.guardrails")
    with pytest.raises(InputError) as raised:
        faults.raise_if_any()
    (fault,) = raised.value.faults
    assert message in fault.what
    assert fault.where == f"report.guardrails.{name}"


def test_a_guardrail_without_a_margin_keeps_its_claim() -> None:
    own = Metric("own", "own", "x", better="less", role="guardrail")
    (found,) = with_margins([replace(effect("latency", Interval(1, 0.5, 2)), metric=own)], {})
    assert (found.guard, found.margin, cells.guard(found)) == (None, "", "")
    assert cells.mood(found, RESULT) == "bad"


def test_harm_beyond_a_margin_is_part_of_the_verdict() -> None:
    primary = effect("session_time", Interval(0.1, 0.05, 0.2))
    harmed = judged(effect("latency_p99", Interval(3, 2, 4)), "1 ms")
    fine = judged(effect("latency", Interval(0.1, 0.0, 0.2)), "1 ms")
    other = replace(harmed, treatment="T2")
    assert describe_harm(primary, [harmed, fine]) == ("; beyond its margin: latency, p99 (1 ms)")
    assert describe_harm(primary, [fine, other]) == ""
