"""Findings of one experiment: validity first, then the primary metric, the others, guardrails."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Literal

import numpy as np

from analysis import verdicts
from analysis.arms import in_order, latency_p99, summaries
from analysis.course import courses
from analysis.effects import Question, answer, method_of
from analysis.findings import Effect, Findings, Plan, Segments
from analysis.gates.values import Certificate
from analysis.measured import Column, Listeners
from analysis.metrics import SESSION_TIME, SESSIONS, TIME_PER_SESSION, Metric
from analysis.pictures import pictures
from analysis.segments import by_segment
from analysis.statistics.bootstrap import SMALL, bootstrap_t_lift
from analysis.statistics.contrast import Contrast, Interval
from analysis.statistics.corrections import benjamini_hochberg, holm
from analysis.statistics.cuped import adjust
from analysis.statistics.rules import ALPHA, AlwaysValid, Fixed, Rule
from core.allocation import Experiment
from core.errors import InputError, unknown_name
from events.reader import Log

UNPLANNED = 5_000
"""Listeners of both arms at which the always-valid interval is narrowest, where nobody planned."""
PAST_SHARE = 0.1
"""Share of the listeners with a past from which the primary metric is adjusted by it. It depends on
nothing that an arm can change, so it is no choice between results."""
KNOWN_TRACKS = 0.9
"""Share of the recommended tracks that a catalog must have before artists are counted by it."""

Pair = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the reader wants to know.

    Attributes:
        primary: The metric that the verdict is about.
        others: All other metrics.
        control: Arm to compare with; None for the first of config, or C.
        all_pairs: Compare every arm with every other.
        segments: Attributes to divide the listeners by.
        even_if_invalid: Show effects although a gate failed.
        planned: Listeners of all arms that were planned; None if nobody said.
        planned_by: Where that stands.
        planned_metric: Name of the metric that the plan was made for; "" if nobody said.
        planned_alpha: Error rate that the plan was made for.
    """

    primary: Metric
    others: Sequence[Metric]
    control: str | None = None
    all_pairs: bool = False
    segments: Sequence[str] = ()
    even_if_invalid: bool = False
    planned: int | None = None
    planned_by: str = ""
    planned_metric: str = ""
    planned_alpha: float = ALPHA


def find(
    log: Log, experiment: str, certificate: Certificate, definition: Experiment | None, asked: Asked
) -> Findings:
    """Everything about one experiment of a log.

    Args:
        log: The log that was read.
        experiment: Which experiment.
        certificate: What the gates said of it.
        definition: As config has it; None where the log stands alone.
        asked: What the reader wants to know.

    Raises:
        InputError: An arm is not there, or a metric's expression is faulty.
    """
    arms = in_order(log.experiments()[experiment], definition)
    control = asked.control or arms[0]
    if control not in arms:
        raise InputError.one("--control", unknown_name("arm", control, arms))
    listeners = Listeners(log, experiment, arms)
    window = log.query(
        "SELECT min(at_ms), max(at_ms) FROM exposures WHERE experiment = ?", [experiment]
    )[0]
    answers_known = bool(
        log.one(
            'SELECT coalesce(bool_and("schema" > 0), FALSE) FROM arm_sessions WHERE experiment = ?',
            [experiment],
        )
    )
    plan = Plan(asked.planned, asked.planned_by, listeners.count)
    excluded = dict(
        log.query(
            "SELECT reason, count(*) FROM excluded WHERE experiment = ? GROUP BY reason "
            "ORDER BY reason",
            [experiment],
        )
    )
    allocation = summaries(listeners, definition, answers_known)
    rule: Literal["fixed", "always-valid"] = "fixed" if plan.reached else "always-valid"
    kept_back = not certificate.valid and not asked.even_if_invalid
    base = Findings(
        experiment, control, allocation, window, certificate, plan, rule, kept_back,
        (verdicts.withheld(certificate),), excluded,
    )  # fmt: skip
    if kept_back:
        return base
    if len(arms) < 2:
        alone = f"only arm {control} was seen: there is nothing to compare"
        return replace(base, verdicts=(alone,))
    return _Deciding(base, listeners, asked, answers_known).findings()


class _Deciding:
    """The effects of one experiment, family by family."""

    def __init__(
        self, base: Findings, listeners: Listeners, asked: Asked, answers_known: bool
    ) -> None:
        self.base = base
        self.listeners = listeners
        self.asked = asked
        arms = [base.control, *(arm for arm in listeners.arms if arm != base.control)]
        self.pairs: list[Pair] = (
            list(combinations(arms, 2))
            if asked.all_pairs
            else [(base.control, arm) for arm in arms[1:]]
        )
        lacking = set() if answers_known else {"answers"}
        if self.known_tracks() < KNOWN_TRACKS:
            lacking.add("catalog")
        self.metrics = [metric for metric in asked.others if metric.needs not in lacking]
        self.columns: dict[str, Column] = {}

    def findings(self) -> Findings:
        """All of it."""
        base, primary = self.base, self.asked.primary
        column = self.column(primary)
        adjusted = self.adjusted(column)
        shown = self.primary(adjusted or column, primary, adjusted is not None)
        beside = list(self.primary(column, primary, False)) if adjusted else []
        beside += self.small(column, primary)
        secondary = [metric for metric in self.metrics if metric.role == "secondary"]
        guarding = [metric for metric in self.metrics if metric.role == "guardrail"]
        guardrails = answer(self.questions(guarding), None)
        seed = int.from_bytes(hashlib.sha256(base.experiment.encode()).digest()[:4], "big")
        guardrails += latency_p99(self.listeners, self.pairs, seed)
        return Findings(
            base.experiment,
            base.control,
            base.arms,
            base.window,
            base.certificate,
            base.plan,
            base.rule,
            False,
            tuple(verdicts.verdict(effect, base.plan, base.certificate) for effect in shown),
            base.excluded,
            primary=shown,
            beside=tuple(beside),
            secondary=tuple(answer(self.questions(secondary), benjamini_hochberg)),
            guardrails=tuple(guardrails),
            corrections=self.corrections(len(secondary)),
            segments=self.segments(column, primary),
            courses=courses(
                self.listeners,
                [(pair, self.always_valid(pair)) for pair in self.pairs],
                base.window,
            ),
            pictures=pictures(self.listeners, base.window),
            notes=tuple(self.notes()),
        )

    def known_tracks(self) -> float:
        """Share of the recommended tracks that the catalog has: another log's has few."""
        return float(
            self.listeners.log.one(
                "SELECT coalesce(avg(CASE WHEN c.track IS NULL THEN 0 ELSE 1 END), 0) FROM "
                "(SELECT DISTINCT recommendation FROM answers) AS a "
                "LEFT JOIN catalog AS c ON a.recommendation = c.track"
            )
        )

    def column(self, metric: Metric) -> Column:
        """A metric's values, asked for once."""
        if metric.name not in self.columns:
            self.columns[metric.name] = self.listeners.column(metric)
        return self.columns[metric.name]

    def rule(self, pair: Pair, share: float = 1.0) -> Rule:
        """The rule in force, for a share of the listeners of two arms."""
        return Fixed() if self.base.plan.reached else self.always_valid(pair, share)

    def always_valid(self, pair: Pair, share: float = 1.0) -> AlwaysValid:
        """The always-valid rule, narrowest at the pair's part of the planned size."""
        if self.base.plan.listeners is None:
            return AlwaysValid(max(2, round(UNPLANNED * share)))
        weights = {arm.name: arm.weight for arm in self.base.arms}
        parts = [weights[arm] for arm in pair]
        known = [part for part in parts if part is not None]
        part = sum(known) if len(known) == 2 else 2 / len(self.base.arms)
        return AlwaysValid(max(2, round(self.base.plan.listeners * part * share)))

    def questions(self, metrics: Sequence[Metric]) -> list[Question]:
        """Each metric for each pair."""
        return [
            self.question(metric, self.column(metric), pair) for metric in metrics
            for pair in self.pairs
        ]  # fmt: skip

    def question(
        self, metric: Metric, column: Column, pair: Pair, adjusted: bool = False
    ) -> Question:
        """One metric for one pair."""
        rule = self.rule(pair)
        how = "delta method, Fieller" if metric.per else "Fieller"
        method = method_of(rule, f"CUPED, {how}" if adjusted else how)
        contrast = Contrast(*(column.sample(arm) for arm in pair))
        return Question(metric, *pair, contrast, rule, method)

    def primary(self, column: Column, metric: Metric, adjusted: bool) -> tuple[Effect, ...]:
        """The primary metric for each pair."""
        return tuple(
            answer([self.question(metric, column, pair, adjusted) for pair in self.pairs], holm)
        )

    def adjusted(self, column: Column) -> Column | None:
        """The primary metric less what the past predicts; None without enough of a past."""
        if column.per is not None:
            return None
        past = self.listeners.numbers("before_mean_time_all", "the past")
        before = {arm: past[rows] for arm, rows in column.rows.items()}
        everybody = np.concatenate(list(before.values()))
        if not len(everybody) or (~np.isnan(everybody)).mean() < PAST_SHARE:
            return None
        values = adjust([column.values[arm] for arm in before], list(before.values()))
        return Column(dict(zip(before, values, strict=True)), None, column.rows)

    def small(self, column: Column, metric: Metric) -> list[Effect]:
        """A bootstrap-t row for each pair with a small arm."""
        found = []
        for place, (control, treatment) in enumerate(self.pairs):
            before, after = column.values[control], column.values[treatment]
            if column.per is not None or min(len(before), len(after)) >= SMALL:
                continue
            lift = bootstrap_t_lift(before, after, seed=place)
            if lift is None:
                continue
            base = float(before.mean())
            found.append(
                Effect(
                    metric, control, treatment, len(before), len(after), base, float(after.mean()),
                    Interval(base * lift.estimate, base * lift.low, base * lift.high), lift,
                    method="bootstrap-t",
                    note=f"an arm has under {SMALL} listeners: not corrected, no claim",
                )
            )  # fmt: skip
        return found

    def segments(self, column: Column, metric: Metric) -> tuple[Segments, ...]:
        """The primary metric by what was asked for."""

        def maker(pair: Pair) -> Callable[[float], Rule]:
            return lambda share: self.rule(pair, share)

        pairs = [(pair, maker(pair)) for pair in self.pairs]
        return by_segment(self.listeners, column, metric, self.asked.segments, pairs)

    def corrections(self, secondary: int) -> dict[str, str]:
        """How each table was corrected."""
        one = len(self.pairs) == 1
        return {
            "primary": "not" if one else f"Holm over {len(self.pairs)} comparisons",
            "others": f"Benjamini-Hochberg over {secondary * len(self.pairs)} questions",
            "guardrails": "not, to see harm early",
            "segments": "Bonferroni over segments, Holm over interactions",
        }

    def notes(self) -> list[str]:
        """What a reader must know."""
        found = []
        plan = self.base.plan
        if plan.listeners is None:
            found.append(
                "No planned size, so intervals are always-valid and wider than planned ones. If it "
                "was fixed before the start and this is the only look, say so with --planned."
            )
        elif plan.seen > 1.1 * plan.listeners:
            found.append(
                f"{plan.seen:,} listeners came, {plan.listeners:,} were planned. The fixed "
                "interval holds for one look; looking until it pleases makes it false."
            )
        metric, alpha = self.asked.planned_metric, self.asked.planned_alpha
        if metric and metric != self.asked.primary.name:
            found.append(
                f"The plan was made for {metric}, the verdict is about {self.asked.primary.name}: "
                "a metric that is chosen afterwards proves less than it seems to."
            )
        if alpha != ALPHA:
            found.append(f"The plan was made for an error rate of {alpha:g}; here it is {ALPHA:g}.")
        if self.asked.primary.name == SESSION_TIME.name:
            pairs = [self.question(each, self.column(each), pair) for each in
                     (TIME_PER_SESSION, SESSIONS) for pair in self.pairs]  # fmt: skip
            effects = answer(pairs, None)
            half = len(self.pairs)
            plain = self.primary(self.column(self.asked.primary), self.asked.primary, False)
            found += verdicts.cross_checks(plain, effects[:half], effects[half:])
            found += self.first_track()
        unfinished = sum(arm.open_sessions for arm in self.base.arms)
        if unfinished:
            found.append(
                f"{unfinished:,} sessions were still open at the end of the log: not counted."
            )
        return found

    def first_track(self) -> list[str]:
        """How much of a session's time no arm had a hand in."""
        whole, recommended = self.listeners.log.query(
            "SELECT sum(time_all), sum(time_chosen) FROM listener_table"
        )[0]
        if not whole or recommended is None or recommended >= whole:
            return []
        return [
            f"{100 * (1 - recommended / whole):.0f} % of the time is the first track of a session, "
            "which no arm chose: `recommended time` is without it."
        ]
