"""The plan and its looks: which listeners count, at which error rate, and what claims nothing."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.checks.result import CheckResult, Status, ValidityReport
from analysis.effects.arm_summary import compare_latency_p99
from analysis.effects.experiments import analyse_experiment
from analysis.effects.listener_table import ListenerTable
from analysis.effects.metrics import STANDARD
from analysis.effects.plans import ChosenPlan, ExperimentPlan, choose_plan
from analysis.effects.report_options import ReportOptions
from analysis.effects.results import ALL_SO_FAR, Effect, ExperimentResult
from analysis.effects.verdict import describe_doubts
from analysis.rendering import cells
from analysis.statistics.contrast import Interval
from events.reader import EventLog, open_log
from tests import logs

SOUND = ValidityReport(
    "fallback",
    (CheckResult("sample-ratio", "Is it?", Status.PASSED, "", "", {"detectable_loss": 0.12}),),
)
PLANNED = 400


def analysed(log: EventLog, planned: int | None = None, **keys: Any) -> ExperimentResult:
    plan = ChosenPlan(ExperimentPlan(listeners=planned, **keys), "sealed" if planned else "")
    options = ReportOptions(STANDARD[0], STANDARD[1:], plan=plan)
    return analyse_experiment(log, "fallback", SOUND, None, options)


def events() -> list[dict[str, Any]]:
    """Listeners who come back for three days, and like what T1 plays better; T1 is slower."""
    arms = {"C": logs.Effect(), "T1": logs.Effect(lift=0.25)}
    made = logs.listening(logs.Plan(arms=arms, listeners=900, sessions=3, days=3, before_days=1))
    for event in made:
        event["latency"] *= 1 + (event["experiments"].get("fallback") == "T1")
    return made


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventLog]:
    folder = tmp_path_factory.mktemp("planned")
    logs.write_ours(folder, events())
    with open_log([folder]) as opened:
        yield opened


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventLog]:
    """Some 75 listeners an arm."""
    folder = tmp_path_factory.mktemp("small")
    logs.write_ours(folder, logs.listening(logs.Plan(listeners=150, sessions=3)))
    with open_log([folder]) as opened:
        yield opened


def first(log: EventLog, size: int) -> list[tuple[str, int]]:
    """The listeners who came first, with the moment of each."""
    return log.query(
        'SELECT "user", first_ms FROM listeners ORDER BY first_ms, "user" LIMIT ?', [size]
    )


def test_the_verdict_is_over_the_first_planned_listeners(log: EventLog) -> None:
    result = analysed(log, PLANNED)
    plan = result.plan
    until_ms = first(log, PLANNED)[-1][1]
    assert (plan.seen, plan.counted, plan.until_ms) == (
        log.one("SELECT count(*) FROM listeners"),
        PLANNED,
        until_ms,
    )
    by_hand = log.query(
        "SELECT arm, avg(mean), count(*) FROM (SELECT arm, avg(time_all) AS mean FROM arm_sessions "
        'WHERE started_ms <= ? AND ended GROUP BY arm, "user") GROUP BY arm ORDER BY arm',
        [until_ms],
    )
    (plain,) = (each for each in result.alternatives if each.method.startswith("Welch"))
    assert [plain.control_mean, plain.treatment_mean] == pytest.approx(
        [mean for _, mean, _ in by_hand]
    )
    assert [plain.control_n, plain.treatment_n] == [count for _, _, count in by_hand]


def test_every_look_after_the_planned_size_gives_the_same_effects(
    log: EventLog, tmp_path: Path
) -> None:
    whole = analysed(log, PLANNED)
    until_ms = first(log, PLANNED)[-1][1]
    ended_ms = log.one("SELECT max(ended_ms) FROM arm_sessions WHERE started_ms <= ?", [until_ms])
    early = [event for event in events() if event["timestamp"] <= ended_ms]
    assert len(early) < len(events())
    logs.write_ours(tmp_path, early)
    with open_log([tmp_path]) as opened:
        sooner = analysed(opened, PLANNED)
    assert sooner.plan.seen < whole.plan.seen
    assert sooner.primary == whole.primary
    assert sooner.secondary == whole.secondary
    assert sooner.guardrails == whole.guardrails


def test_all_listeners_so_far_stand_beside_the_verdict_and_make_no_claim(log: EventLog) -> None:
    result = analysed(log, PLANNED)
    (so_far,) = (each for each in result.alternatives if each.method.startswith(ALL_SO_FAR))
    assert so_far.control_n + so_far.treatment_n > PLANNED
    assert so_far.difference is not None
    assert so_far.difference.excludes_zero
    assert so_far.claim is None
    assert "always-valid" in so_far.method
    assert not any(e.method.startswith(ALL_SO_FAR) for e in analysed(log, 100_000).alternatives)


def test_looks_before_the_planned_size_get_a_fifth_of_the_error_rate(log: EventLog) -> None:
    early = analysed(log, 100_000)
    assert early.primary[0].confidence == pytest.approx(0.99)
    assert {e.confidence for e in guarded(early)} == {0.95}
    assert "Always-valid 99 % intervals" in cells.caption(early)
    assert "intervals at 95 %" in early.corrections["guardrails"]
    unplanned = analysed(log)
    assert unplanned.primary[0].confidence == pytest.approx(0.95)
    assert "Always-valid 95 % intervals" in cells.caption(unplanned)


def test_a_planned_error_rate_is_used_everywhere(log: EventLog) -> None:
    result = analysed(log, PLANNED, alpha=0.2)
    assert result.primary[0].confidence == pytest.approx(0.8)
    assert {e.confidence for e in (*guarded(result), *result.alternatives)} == {0.8}
    assert "Fixed 80 % intervals" in cells.caption(result)
    assert "significant at 20 %" in result.verdicts[0]
    usual = analysed(log, PLANNED)
    for wide, narrow in zip(usual.primary, result.primary, strict=True):
        assert wide.lift is not None
        assert narrow.lift is not None
        assert narrow.lift.low > wide.lift.low
    assert analysed(log, 100_000, alpha=0.2).primary[0].confidence == pytest.approx(0.96)


def guarded(result: ExperimentResult) -> Sequence[Effect]:
    return [effect for effect in result.guardrails if effect.difference is not None]


def test_a_fixed_row_in_an_always_valid_table_is_marked_and_makes_no_claim(
    log: EventLog, small: EventLog
) -> None:
    assert analysed(log, PLANNED).guardrails[-1].claim == "up"
    p99 = analysed(log, 100_000).guardrails[-1]
    assert p99.lift is not None
    assert p99.lift.excludes_zero
    assert (p99.metric.name, p99.one_look, p99.claim) == ("latency_p99", True, None)
    assert cells.label(p99, analysed(log, 100_000)) == "latency, p99 (fixed)"
    early = analysed(small)
    (bootstrap,) = (e for e in early.alternatives if e.method == "bootstrap-t")
    assert (bootstrap.one_look, bootstrap.claim) == (True, None)
    assert cells.label(bootstrap, early) == "… bootstrap-t (fixed)"
    assert "(fixed) holds for one look only" in cells.caption(early)
    reached = analysed(small, 100)
    assert not any(e.one_look for e in (*reached.alternatives, *reached.guardrails))


def test_a_p99_has_no_interval_below_368_answers_or_100_listeners(
    log: EventLog, small: EventLog
) -> None:
    few = analysed(small).guardrails[-1]
    assert few.control_mean is not None
    assert few.difference is None
    assert few.lift is None
    assert few.note == "no interval: an arm has under 368 answers or 100 listeners"
    assert analysed(log).guardrails[-1].lift is not None


def test_the_p99_of_many_answers_comes_from_a_sample_of_listeners_and_says_so(
    log: EventLog,
) -> None:
    def p99(listeners: ListenerTable, **bound: int) -> Effect:
        (found,) = compare_latency_p99(listeners, [("C", "T1")], seed=1, **bound)
        return found

    with ListenerTable(log, "fallback", ["C", "T1"]) as listeners:
        whole = p99(listeners)
        answers = listeners.one("SELECT count(*) FROM answers WHERE arm = 'C'")
        assert p99(listeners, most=10 * answers) == whole
        part = p99(listeners, most=answers // 2)
        assert p99(listeners, most=answers // 2) == part

    assert whole.method == "bootstrap over listeners"
    assert 0.4 * whole.control_n < part.control_n < 0.6 * whole.control_n
    assert part.method.startswith(f"bootstrap over {part.control_n:,} listeners of C and ")
    assert part.control_mean == pytest.approx(whole.control_mean, rel=0.2)


def test_a_verdict_without_a_claim_names_the_lift_that_would_have_shown(small: EventLog) -> None:
    result = analysed(small, 120)
    (effect,) = result.primary
    assert effect.claim is None
    assert effect.detectable is not None
    assert effect.lift is not None
    # Both are a number of standard errors: the interval's critical value, and 0.84 more for 80 %.
    half = (effect.lift.high - effect.lift.low) / 2
    assert effect.detectable == pytest.approx(half * (1.98 + 0.84) / 1.98, rel=0.1)
    shown = f"{100 * effect.detectable:.1f} %"
    assert result.verdicts[0].endswith(f"so many listeners mostly show lifts from {shown}")
    assert any(f"shows an effect of {effect.detectable:.1%} or more" in n for n in result.notes)
    assert any("80% of experiments, and the sample ratio shows a loss of " in n
               for n in result.notes)  # fmt: skip


SEALED = {"listeners": 3000, "metric": "session_time", "alpha": 0.1}
CONFIG = ExperimentPlan(listeners=500)


@pytest.mark.parametrize(
    ("given", "sealed", "configured", "size", "source"),
    [
        (None, SEALED, CONFIG, 3000, "sealed"),
        (700, SEALED, CONFIG, 700, "--planned"),
        (3000, SEALED, CONFIG, 3000, "sealed"),
        (None, {}, CONFIG, 500, "config"),
        (None, None, CONFIG, 500, "config"),
        (700, None, CONFIG, 700, "--planned"),
        (None, {"metric": "tracks"}, CONFIG, None, ""),
        (None, None, None, None, ""),
    ],
)
def test_the_plan_that_counts_is_the_first_one(
    given: int | None, sealed: Any, configured: ExperimentPlan, size: int | None, source: str
) -> None:
    chosen = choose_plan(given, sealed, configured)
    assert (chosen.plan.listeners, chosen.source) == (size, source)


def test_the_sealed_error_rate_stays_whatever_size_is_given_afterwards() -> None:
    chosen = choose_plan(700, SEALED, None)
    assert (chosen.plan.alpha, chosen.sealed_listeners) == (0.1, 3000)
    assert choose_plan(None, SEALED, ExperimentPlan.model_validate(SEALED)).remarks == ()
    assert choose_plan(None, SEALED, CONFIG).remarks != ()
    assert replace(chosen).plan.metric == "session_time"


def test_the_verdict_says_that_sessions_moved_and_listeners_were_left_out(log: EventLog) -> None:
    result = analysed(log, PLANNED)
    (effect,) = result.primary
    sessions = next(e for e in result.guardrails if e.metric.name == "sessions")
    moved = replace(sessions, claim="up", lift=Interval(0.05, 0.02, 0.08))
    assert describe_doubts(effect, [sessions], 500, {}) == ""
    assert describe_doubts(effect, [moved], 500, {"forced": 2}) == (
        "; sessions per listener moved by +5.0 % [+2.0, +8.0]"
    )
    excluded = {"forced": 20, "more than one arm": 30, "no ended session": 99}
    assert describe_doubts(effect, [], 450, excluded) == ("; 10.0% of the listeners are left out")
