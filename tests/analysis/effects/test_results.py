"""Findings on logs whose arms and effects are known."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from analysis.checks.result import CheckResult, Status, ValidityReport
from analysis.effects.arm_summary import coverages
from analysis.effects.experiments import analyse_experiment
from analysis.effects.listener_table import ListenerTable
from analysis.effects.metrics import STANDARD, choose_metrics
from analysis.effects.plans import choose_plan
from analysis.effects.report_options import ReportOptions
from analysis.effects.results import Effect, ExperimentResult, Report, ReportProvenance
from analysis.rendering.json_report import to_json
from analysis.rendering.terminal import show
from analysis.statistics.corrections import benjamini_hochberg, holm
from core.allocation import Arm, Experiment
from core.catalog import Catalog
from core.errors import Faults, InputError
from events.reader import EventLog, open_log
from tests import logs

SOUND = ValidityReport(
    "fallback", (CheckResult("assignment", "Is it so?", Status.PASSED, "all agree"),)
)
BROKEN = ValidityReport(
    "fallback",
    (
        CheckResult(
            "sample-ratio", "Is it even?", Status.FAILED, "p = 1e-9", "Listeners are missing."
        ),
    ),
)
DEFINITION = Experiment("fallback", (Arm("C", 50.0, "plain"), Arm("T1", 50.0, "improved")))


def options(planned: int | None = None, alpha: float = 0.05, **changes: Any) -> ReportOptions:
    """Options with a sealed plan for so many listeners."""
    if planned is not None or alpha != 0.05:
        sealed = {"listeners": planned, "alpha": alpha}
        changes["plan"] = choose_plan(None, sealed, None)
    return replace(ReportOptions(STANDARD[0], STANDARD[1:]), **changes)


@pytest.fixture(scope="module")
def better(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventLog]:
    """T1 raises each listen's time by 40 %, and never falls back; C does so in 10 %."""
    folder = tmp_path_factory.mktemp("better")
    plan = logs.Plan(
        arms={"C": logs.Effect(fallback=0.1), "T1": logs.Effect(lift=0.4)},
        listeners=900, sessions=3, days=3, before_days=2,
    )  # fmt: skip
    events = logs.listening(plan)
    for event in events:
        event["attributes"] = {"country": "nl" if event["user"] % 3 else "be"}
    logs.write_ours(folder, events, servers=2)
    catalog = Catalog(range(500), [f"a{track % 40}" for track in range(500)], [""] * 500)
    with open_log([folder], catalog=catalog) as log:
        yield log


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventLog]:
    """Three arms that do the same."""
    folder = tmp_path_factory.mktemp("three")
    arms = {name: logs.Effect() for name in ("C", "T1", "T2")}
    logs.write_ours(folder, logs.listening(logs.Plan(arms=arms, listeners=450, seed=4)))
    with open_log([folder]) as log:
        yield log


def found(log: EventLog, validity: ValidityReport = SOUND, **changes: Any) -> ExperimentResult:
    return analyse_experiment(log, "fallback", validity, None, options(**changes))


def row(effects: Sequence[Effect], metric: str) -> Effect:
    return next(effect for effect in effects if effect.metric.name == metric)


def by_hand(log: EventLog) -> Mapping[str, list[float]]:
    """Each listener's mean session time, by arm, made of raw lines without the listener table."""
    sessions: dict[tuple[str, str], float] = {}
    arm_of: dict[str, str] = {}
    for user, session, time, experiments in log.query(
        'SELECT "user", session, "time", experiments FROM events'
    ):
        arms = json.loads(experiments)
        if arms:
            sessions[user, session] = sessions.get((user, session), 0.0) + time
            arm_of[user] = arms["fallback"]
    times: dict[str, list[float]] = {}
    for (user, _), total in sessions.items():
        times.setdefault(user, []).append(total)
    means: dict[str, list[float]] = {}
    for user in sorted(times):
        means.setdefault(arm_of[user], []).append(float(np.mean(times[user])))
    return means


def test_a_real_effect_is_found_and_described_in_one_sentence(better: EventLog) -> None:
    result = found(better, planned=700)
    effect = result.primary[0]
    assert effect.claim == "up"
    assert effect.good
    assert effect.lift is not None
    (sentence,) = result.verdicts
    low, high = (f"{100 * bound:.1f}" for bound in (effect.lift.low, effect.lift.high))
    assert sentence == (
        f"T1 raises mean session time by {100 * effect.lift.estimate:.1f} % [{low}, {high}] "
        "against C, significant; valid; first 700 of 796 listeners, as planned; plan sealed at the "
        "start"
    )


def test_the_primary_metric_is_the_mean_of_listeners_session_means(better: EventLog) -> None:
    means = by_hand(better)
    plain = found(better).alternatives[0]
    assert plain.control_mean == pytest.approx(np.mean(means["C"]), rel=1e-9)
    assert plain.treatment_mean == pytest.approx(np.mean(means["T1"]), rel=1e-9)
    assert (plain.control_n, plain.treatment_n) == (len(means["C"]), len(means["T1"]))


def test_before_the_planned_size_the_interval_is_always_valid_and_nothing_is_significant(
    better: EventLog,
) -> None:
    early, late = found(better, planned=100_000), found(better, planned=700)
    assert (early.inference, late.inference) == ("always-valid", "fixed")
    assert early.primary[0].lift is not None
    assert late.primary[0].lift is not None
    assert early.primary[0].lift.low < late.primary[0].lift.low
    assert "significant" not in early.verdicts[0]
    assert "of 100,000 planned listeners so far" in early.verdicts[0]
    unplanned = found(better)
    assert unplanned.inference == "always-valid"
    assert "significant" not in unplanned.verdicts[0]
    assert "no planned size" in unplanned.verdicts[0]


def test_a_failed_check_withholds_every_effect_by_default(better: EventLog) -> None:
    withheld = found(better, BROKEN)
    assert withheld.withheld
    assert withheld.verdicts == ("INVALID, effects withheld: failed sample-ratio",)
    assert (
        withheld.primary == withheld.secondary == withheld.guardrails == withheld.alternatives == ()
    )
    assert withheld.over_time == withheld.by_day == withheld.segments == ()
    assert withheld.charts is None
    shown = found(better, BROKEN, even_if_invalid=True)
    assert shown.primary[0].lift is not None
    assert "; INVALID; " in shown.verdicts[0]


def test_the_past_adjusts_the_primary_metric_and_the_unadjusted_row_stays(
    better: EventLog,
) -> None:
    result = found(better)
    assert "CUPED" in result.primary[0].method
    plain = result.alternatives[0]
    assert "CUPED" not in plain.method
    assert plain.difference is not None
    assert result.primary[0].difference is not None
    adjusted = result.primary[0].difference
    assert adjusted.high - adjusted.low <= plain.difference.high - plain.difference.low
    assert adjusted.estimate == pytest.approx(plain.difference.estimate, rel=0.2)


def test_the_share_of_the_catalog_needs_the_logs_own_catalog(
    better: EventLog, three: EventLog
) -> None:
    for arm in found(better).arms:
        assert arm.catalog_share == pytest.approx(arm.coverage / 500)
    assert [arm.catalog_share for arm in found(three).arms] == [None, None, None]


def test_guardrails_see_fallbacks_and_are_not_corrected(better: EventLog) -> None:
    effect = row(found(better).guardrails, "fallbacks")
    assert effect.control_mean == pytest.approx(0.1, abs=0.02)
    assert effect.treatment_mean == 0.0
    assert (effect.claim, effect.good) == ("down", True)
    assert effect.p == effect.corrected


def test_secondary_metrics_are_corrected_and_intervals_agree_with_it(better: EventLog) -> None:
    effects = found(better, planned=700).secondary
    assert {"time_per_session", "total_time", "tracks", "skips", "distinct_tracks",
            "distinct_artists", "chosen_time"} == {e.metric.name for e in effects}  # fmt: skip
    for effect in effects:
        assert effect.p is not None
        assert effect.corrected is not None
        assert effect.corrected >= effect.p
        assert effect.lift is not None
        assert effect.lift.excludes_zero == (effect.corrected <= 0.05)


def test_each_table_is_corrected_over_all_its_questions(three: EventLog) -> None:
    result = found(three, planned=300)
    for effects, correct in ((result.primary, holm), (result.secondary, benjamini_hochberg)):
        raw = [effect.p for effect in effects if effect.p is not None]
        assert len(raw) == len(effects)
        family = correct(raw)
        assert [e.corrected for e in effects] == pytest.approx([each.p for each in family])
        assert [1 - e.confidence for e in effects] == pytest.approx([e.alpha for e in family])
    assert len(result.secondary) == 2 * 6


def test_the_first_request_decides_the_segment(better: EventLog) -> None:
    (by_country,) = found(better, segments=("country",)).segments
    assert [segment.value for segment in by_country.segments] == ["nl", "be"]
    everybody = sum(s.effect.control_n + s.effect.treatment_n for s in by_country.segments)
    assert everybody == better.one("SELECT count(*) FROM listeners")
    assert by_country.p is not None
    assert by_country.p > 0.05


def test_the_log_distinguishes_new_and_returning_listeners(better: EventLog) -> None:
    (by_past,) = found(better, segments=("listener",)).segments
    with_past = better.one(
        'SELECT count(*) FROM (SELECT min(turn) AS turn FROM exposures GROUP BY "user") '
        "WHERE turn > 1"
    )
    returning = next(s.effect for s in by_past.segments if s.value == "returning")
    assert returning.control_n + returning.treatment_n == with_past > 0


def test_the_effect_over_time_ends_at_the_effect_of_the_whole_log(better: EventLog) -> None:
    result = found(better)
    (course,) = result.over_time
    last = course.stretches[-1].so_far
    plain = result.alternatives[0].lift
    assert last is not None
    assert plain is not None
    assert (last.estimate, last.low, last.high) == pytest.approx(
        (plain.estimate, plain.low, plain.high), rel=1e-6
    )
    assert [m.from_ms for m in course.stretches] == sorted({m.from_ms for m in course.stretches})


def test_the_effect_by_day_counts_from_the_entry_of_each_listener(better: EventLog) -> None:
    (course,) = found(better).by_day
    entered = dict(better.query('SELECT "user", min(at_ms) FROM exposures GROUP BY "user"'))
    sessions = better.query(
        'SELECT "user", arm, started_ms, time_all FROM arm_sessions WHERE ended ORDER BY 1, 3'
    )
    by_day: dict[tuple[int, str], dict[str, list[float]]] = {}
    for user, arm, started_ms, time in sessions:
        day = (started_ms - entered[user]) // logs.DAY_MS
        by_day.setdefault((day, arm), {}).setdefault(user, []).append(time)
    assert [each.day for each in course.days] == list(range(len(course.days)))
    assert len(course.days) == 3
    for each in course.days:
        control, treatment = (by_day[each.day, arm] for arm in ("C", "T1"))
        means = [
            sum(sum(times) / len(times) for times in arm.values()) / len(arm)
            for arm in (control, treatment)
        ]
        assert each.listeners == len(control) + len(treatment)
        assert each.lift is not None
        assert each.lift.estimate == pytest.approx(means[1] / means[0] - 1, rel=1e-6)


def test_charts_count_every_listener_and_every_session_once(better: EventLog) -> None:
    result = found(better)
    pictures = result.charts
    assert pictures is not None
    arrived = sum(sum(counts.values()) for _, counts in pictures.arrivals)
    assert arrived == sum(arm.listeners for arm in result.arms)
    for shares in pictures.sessions.values():
        assert sum(shares) == pytest.approx(1.0)
        assert len(shares) == len(pictures.edges)


def test_three_equal_arms_make_no_claim_and_all_pairs_are_three(three: EventLog) -> None:
    result = found(three)
    assert [(e.control, e.treatment) for e in result.primary] == [("C", "T1"), ("C", "T2")]
    assert all("shows no sure change" in sentence for sentence in result.verdicts)
    assert result.corrections["primary"] == "Holm over 2 comparisons"
    pairs = found(three, all_pairs=True, control="T2").primary
    assert [(e.control, e.treatment) for e in pairs] == [("T2", "C"), ("T2", "T1"), ("C", "T1")]


def test_a_small_arm_gets_a_bootstrap_t_row(three: EventLog) -> None:
    small = [effect for effect in found(three).alternatives if effect.method == "bootstrap-t"]
    assert [effect.treatment for effect in small] == ["T1", "T2"]
    for effect in small:
        assert effect.lift is not None
        assert effect.claim is None


def test_an_unknown_control_is_refused_with_the_known_names(three: EventLog) -> None:
    with pytest.raises(InputError, match=r"--control: unknown arm 'T3'. Known: C, T1, T2"):
        found(three, control="T3")


def test_weights_of_config_stand_in_the_allocation_table(better: EventLog) -> None:
    arms = analyse_experiment(better, "fallback", SOUND, DEFINITION, options()).arms
    assert [(arm.name, arm.weight, arm.strategy) for arm in arms] == [
        ("C", 0.5, "plain"),
        ("T1", 0.5, "improved"),
    ]


def test_a_further_metric_is_sql_over_the_listener_table(better: EventLog) -> None:
    faults = Faults()
    extra = {"long": "CAST(mean_time_all > 3 AS INT)", "skips_a_session": {
        "value": "skips", "per": "sessions", "better": "less", "role": "guardrail",
        "label": "skips per session"}}  # fmt: skip
    primary, others = choose_metrics(extra, None, faults, "metric")
    faults.raise_if_any()
    result = analyse_experiment(better, "fallback", SOUND, None, ReportOptions(primary, others))
    means = by_hand(better)
    long = row(result.secondary, "long")
    assert long.control_mean == pytest.approx(np.mean([mean > 3 for mean in means["C"]]))
    assert row(result.guardrails, "skips_a_session").metric.label == "skips per session"
    primary, others = choose_metrics(extra, "long", faults, "metric")
    again = analyse_experiment(better, "fallback", SOUND, None, ReportOptions(primary, others))
    assert again.primary[0].metric.name == "long"
    assert row(again.secondary, "session_time").control_mean is not None


def test_the_message_about_a_faulty_metric_names_the_columns(better: EventLog) -> None:
    primary, others = choose_metrics({"bad": "no_such_column + 1"}, None, Faults(), "metric")
    with pytest.raises(InputError, match=r"metric bad: .*no_such_column.*Its columns: .*time_all"):
        analyse_experiment(better, "fallback", SOUND, None, ReportOptions(primary, others))


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("1x", "skips", "name must be letters"),
        ("x", "", "must be an SQL expression"),
        ("x", {"per": "sessions"}, "must be an SQL expression"),
        ("x", {"value": "skips", "beter": "less"}, "must be an SQL expression"),
        ("x", {"value": "skips", "better": "up"}, "must be more, less or either"),
        ("x", {"value": "skips", "role": "primary"}, "must be secondary or guardrail"),
    ],
    ids=["name", "empty", "no-value", "unknown-key", "direction", "role"],
)
def test_a_metric_that_makes_no_sense_is_refused(name: str, given: Any, message: str) -> None:
    faults = Faults()
    choose_metrics({name: given}, None, faults, "report.metrics")
    assert [message in str(fault) for fault in faults.found] == [True]


def test_an_unknown_primary_metric_is_refused() -> None:
    faults = Faults()
    choose_metrics({}, "sesion_time", faults, "report")
    assert "unknown metric 'sesion_time'. Known: " in str(faults.found[0])


def test_coverage_is_compared_at_equally_many_answers(tmp_path: Path) -> None:
    """One arm of twice the listeners; both draw evenly, so both must reach equally many tracks."""
    arms = {"C": logs.Effect(weight=2.0), "T1": logs.Effect()}
    logs.write_ours(tmp_path, logs.listening(logs.Plan(arms=arms, listeners=300, tracks=900)))
    with open_log([tmp_path]) as log:
        result = analyse_experiment(log, "fallback", SOUND, None, options())
        with ListenerTable(log, "fallback", ["C", "T1"]) as listeners:
            reached = coverages(listeners)
            distinct = listeners.query(
                "SELECT arm, count(DISTINCT recommendation) FROM answers GROUP BY arm"
            )
    assert dict(distinct)["T1"] == pytest.approx(reached["T1"])
    assert reached["C"] == pytest.approx(reached["T1"], rel=0.08)
    assert dict(distinct)["C"] > 1.15 * reached["C"]
    assert result.arms[0].coverage == reached["C"]


def test_a_log_of_botify_has_no_fallback_metrics(tmp_path: Path) -> None:
    logs.write_botify(tmp_path, logs.listening(logs.Plan(listeners=120)))
    with open_log([tmp_path]) as log:
        result = analyse_experiment(log, "fallback", SOUND, None, options())
    assert "fallbacks" not in {effect.metric.name for effect in result.guardrails}
    assert result.arms[0].fallbacks is None


def report_of(*experiments: ExperimentResult) -> Report:
    provenance = ReportProvenance(
        "0", "segue report log/", [("log/a", "ours", 9, "ab")], {"0123": 9}, []
    )
    return Report(provenance, experiments)


def printed(result: ExperimentResult, width: int = 110) -> str:
    console = Console(width=width, force_terminal=False)
    with console.capture() as capture:
        show(report_of(result), console)
    return capture.get()


def test_the_terminal_shows_validity_before_effects_and_no_effect_when_withheld(
    better: EventLog,
) -> None:
    shown = printed(found(better, segments=("listener",)))
    places = [shown.index(word) for word in ("Validity: valid", "T1 raises", "primary", "others",
                                             "guardrails", "by listener")]  # fmt: skip
    assert places == sorted(places)
    withheld = printed(found(better, BROKEN))
    assert "✗ sample-ratio: p = 1e-9. Listeners are missing." in withheld
    assert "raises" not in withheld
    assert "lift" not in withheld
    assert "the effects below prove nothing" in printed(found(better, BROKEN, even_if_invalid=True))


def test_the_same_log_gives_the_same_json_whatever_the_order_of_its_lines(tmp_path: Path) -> None:
    events = logs.listening(logs.Plan(listeners=150, arms={
        "C": logs.Effect(), "T1": logs.Effect(lift=0.2, fallback=0.2)}))  # fmt: skip
    texts = []
    for name, order in (("a", events), ("b", events[::-1])):
        logs.write_ours(tmp_path / name, order, servers=3)
        with open_log([tmp_path / name]) as log:
            texts.append(to_json(report_of(found(log, segments=("listener", "day")))))
    assert texts[0] == texts[1]


def test_no_effect_of_an_invalid_experiment_is_called_significant(better: EventLog) -> None:
    (sentence,) = found(better, BROKEN, even_if_invalid=True, planned=700).verdicts
    assert "raises" in sentence
    assert "significant" not in sentence


def test_a_table_of_several_arms_names_each_arm_even_in_80_columns(three: EventLog) -> None:
    lines = printed(found(three, all_pairs=True), width=80).splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("mean session time"))
    assert [line[20:60].split()[0] for line in lines[start : start + 3]] == ["C", "T1", "T2"]
    assert lines[start + 3].split()[0] == "T2:T1"


def test_a_wide_interval_cuts_off_no_cell(better: EventLog) -> None:
    """Where the columns do not fit, the interval folds, and every p and value stays whole."""
    assert "…" not in printed(found(better), width=72)
