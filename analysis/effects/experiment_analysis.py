"""The effects of one experiment, family by family: primary metric, others, guardrails."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import combinations

from analysis.effects import caveats, sensitivity
from analysis.effects.arm_summary import catalog_size, compare_latency_p99
from analysis.effects.chart_data import chart_data
from analysis.effects.comparison import (
    Question,
    always_valid,
    choose_inference,
    describe_method,
    estimate_effects,
)
from analysis.effects.doubts import doubt_of, missing_values
from analysis.effects.guardrails import with_margins
from analysis.effects.listener_table import Column, ListenerTable
from analysis.effects.metrics import SESSION_TIME, SESSIONS, TIME_PER_SESSION, Metric
from analysis.effects.over_time import effects_over_time
from analysis.effects.report_options import Pair, ReportOptions
from analysis.effects.results import ALL_SO_FAR, Effect, ExperimentResult, Segments
from analysis.effects.segments import effects_by_segment
from analysis.effects.since_entry import effects_since_entry
from analysis.effects.verdict import describe_doubts, describe_harm, describe_verdict
from analysis.formatting import confidence
from analysis.statistics.bootstrap import NORMAL_FROM, SMALL, bootstrap_t_lift
from analysis.statistics.contrast import Contrast, Interval
from analysis.statistics.corrections import benjamini_hochberg, holm
from analysis.statistics.cuped import adjust_sums
from analysis.statistics.inference import InferenceMethod

PAST_SHARE = 0.1
"""The primary metric is adjusted by the past if at least this share of the listeners has one. An
arm cannot change that share, so the rule does not choose between results."""


class ExperimentAnalysis:
    """All effects of one experiment.

    Args:
        base: The result before any effect: arms, validity and plan.
        listeners: The listener table of the listeners that count.
        everyone: The listener table of all listeners, for charts; the same unless more listeners
            came than were planned.
        options: What the reader wants to know.
        answers_known: Whether the log names the strategy that answered.
    """

    def __init__(
        self,
        base: ExperimentResult,
        listeners: ListenerTable,
        everyone: ListenerTable,
        options: ReportOptions,
        answers_known: bool,
    ) -> None:
        self.base = base
        self.listeners = listeners
        self.everyone = everyone
        self.options = options
        arms = [base.control, *(arm for arm in listeners.arms if arm != base.control)]
        self.pairs: list[Pair] = (
            list(combinations(arms, 2))
            if options.all_pairs
            else [(base.control, arm) for arm in arms[1:]]
        )
        missing = set() if answers_known else {"answers"}
        if not catalog_size(listeners):
            missing.add("catalog")
        self.metrics = [metric for metric in options.others if metric.needs not in missing]
        self.columns: dict[str, Column] = {}
        self.doubts: dict[str, dict[str, None]] = {}  # doubt -> labels of metrics, in order

    def run(self) -> ExperimentResult:
        """Fill the tables of the result: effects, segments, charts, notes."""
        base, primary = self.base, self.options.primary
        column = self.column(primary)
        adjusted = adjust_by_past(self.listeners, column)
        shown = self.detectable(adjusted or column, primary, adjusted is not None)
        alternatives = list(self.primary_effects(column, primary, False)) if adjusted else []
        alternatives += self.bootstrap_small_arms(column, primary)
        alternatives += self.all_so_far(primary)
        secondary = [metric for metric in self.metrics if metric.role == "secondary"]
        guarding = [metric for metric in self.metrics if metric.role == "guardrail"]
        alpha, one_look = base.plan.alpha, not base.plan.reached
        guardrails = estimate_effects(self.questions(guarding), None, alpha)
        seed = int.from_bytes(hashlib.sha256(base.experiment.encode()).digest()[:4], "big")
        guardrails += compare_latency_p99(self.listeners, self.pairs, seed, alpha, one_look)
        guardrails = with_margins(guardrails, self.options.margins)
        labels = {arm.name: arm.label for arm in base.arms}
        return replace(
            base,
            verdicts=tuple(
                describe_verdict(effect, base.plan, base.validity, labels)
                + describe_harm(effect, guardrails)
                + describe_doubts(effect, guardrails, base.plan.seen, base.excluded)
                for effect in shown
            ),
            primary=shown,
            alternatives=tuple(alternatives),
            secondary=tuple(self.secondary_effects(secondary)),
            guardrails=tuple(guardrails),
            corrections=self.corrections(len(secondary)),
            segments=self.segments(column, primary),
            over_time=effects_over_time(
                self.everyone,
                [(pair, always_valid(base.plan, self.share(pair))) for pair in self.pairs],
                base.window,
                base.plan,
            ),
            by_day=effects_since_entry(self.everyone, self.pairs, base.plan.alpha),
            charts=chart_data(self.everyone, base.window),
            notes=tuple(self.notes(shown)),
        )

    def column(self, metric: Metric) -> Column:
        """A metric's values, read once."""
        if metric.name not in self.columns:
            self.columns[metric.name] = self.listeners.column(metric)
        return self.columns[metric.name]

    def share(self, pair: Pair) -> float:
        """Return the share of all listeners that two arms were promised."""
        weights = {arm.name: arm.weight for arm in self.base.arms}
        known = [part for arm in pair if (part := weights[arm]) is not None]
        return sum(known) if len(known) == 2 else 2 / len(self.base.arms)

    def inference(self, pair: Pair, share: float = 1.0) -> InferenceMethod:
        """Return the inference method for a share of the listeners of two arms."""
        return choose_inference(self.base.plan, self.share(pair), share)

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
        inference = self.inference(pair)
        how = "delta method, Fieller" if metric.per else "Fieller"
        method = describe_method(inference, f"CUPED, {how}" if adjusted else how)
        contrast = Contrast(*(column.sample(arm) for arm in pair))
        doubt = doubt_of(metric, column, pair)
        if doubt:
            labels = self.doubts.setdefault(doubt, {})
            labels[metric.label] = None
        return Question(metric, *pair, contrast, inference, method, doubt)

    def primary_effects(self, column: Column, metric: Metric, adjusted: bool) -> tuple[Effect, ...]:
        """The primary metric for each pair."""
        return tuple(
            estimate_effects(
                [self.question(metric, column, pair, adjusted) for pair in self.pairs],
                holm,
                self.base.plan.claim_alpha,
            )
        )

    def detectable(self, column: Column, metric: Metric, adjusted: bool) -> tuple[Effect, ...]:
        """Return the primary effects, each with the smallest lift that so many listeners show."""
        found = self.primary_effects(column, metric, adjusted)
        questions = [self.question(metric, column, pair, adjusted) for pair in self.pairs]
        power = self.base.plan.power
        return tuple(
            replace(
                effect,
                detectable=sensitivity.smallest_effect(question, 1 - effect.confidence, power),
            )
            if effect.difference
            else effect
            for effect, question in zip(found, questions, strict=True)
        )

    def secondary_effects(self, metrics: Sequence[Metric]) -> list[Effect]:
        """Estimate the effects on the secondary metrics, corrected as one family."""
        alpha = self.base.plan.claim_alpha
        return estimate_effects(self.questions(metrics), benjamini_hochberg, alpha)

    def all_so_far(self, metric: Metric) -> list[Effect]:
        """Return a row for each pair over all listeners, if the verdict counts the planned ones.

        Its interval is always-valid. The row makes no claim: the plan has spent its error rate.
        """
        if self.base.plan.until_ms is None:
            return []
        plain = self.everyone.column(metric)
        column, alpha = adjust_by_past(self.everyone, plain) or plain, self.base.plan.alpha
        found = []
        for pair in self.pairs:
            if doubt_of(metric, column, pair):
                continue
            inference = always_valid(self.base.plan, self.share(pair))
            contrast = Contrast(*(column.sample(arm) for arm in pair))
            method = describe_method(inference, "Fieller")
            question = Question(metric, *pair, contrast, inference, f"{ALL_SO_FAR}, {method}")
            found += estimate_effects([question], None, alpha)
        note = "all listeners so far: no claim, which is about the planned ones"
        return [replace(effect, claim=None, corrected=None, note=note) for effect in found]

    def bootstrap_small_arms(self, column: Column, metric: Metric) -> list[Effect]:
        """A bootstrap-t row for each pair with a small arm."""
        found = []
        for place, (control, treatment) in enumerate(self.pairs):
            sizes = [column.sample(arm).n for arm in (control, treatment)]
            if metric.per is not None or min(sizes) >= SMALL:
                continue
            if doubt_of(metric, column, (control, treatment)):
                continue
            before, after = (
                column.sample(arm) if n > NORMAL_FROM else self.listeners.values(metric, arm)
                for arm, n in zip((control, treatment), sizes, strict=True)
            )
            lift = bootstrap_t_lift(before, after, seed=place, alpha=self.base.plan.alpha)
            if lift is None:
                continue
            base, raised = column.sample(control).mean, column.sample(treatment).mean
            found.append(
                Effect(
                    metric, control, treatment, sizes[0], sizes[1], base, raised,
                    Interval(base * lift.estimate, base * lift.low, base * lift.high), lift,
                    confidence=1 - self.base.plan.alpha,
                    method="bootstrap-t",
                    one_look=not self.base.plan.reached,
                    note=f"an arm has fewer than {SMALL} listeners: not corrected, no claim",
                )
            )  # fmt: skip
        return found

    def segments(self, column: Column, metric: Metric) -> tuple[Segments, ...]:
        """The primary effect by each attribute of the options."""

        def maker(pair: Pair) -> Callable[[float], InferenceMethod]:
            return lambda share: self.inference(pair, share)

        pairs = [(pair, maker(pair)) for pair in self.pairs if not doubt_of(metric, column, pair)]
        return effects_by_segment(
            self.listeners,
            column,
            metric,
            self.options.segments,
            pairs,
            self.base.plan.claim_alpha,
        )

    def corrections(self, secondary: int) -> dict[str, str]:
        """Name the correction of each table."""
        one = len(self.pairs) == 1
        return {
            "primary": "not" if one else f"Holm over {len(self.pairs)} comparisons",
            "others": f"Benjamini-Hochberg over {secondary * len(self.pairs)} questions",
            "guardrails": "not, to see harm early" + self._confidence_of_guardrails(),
            "segments": "Bonferroni over segments, Holm over interactions",
        }

    def _confidence_of_guardrails(self) -> str:
        plan = self.base.plan
        if plan.claim_alpha == plan.alpha:
            return ""
        return f", intervals at {confidence(plan.alpha)}"

    def notes(self, shown: Sequence[Effect]) -> list[str]:
        """List what a reader must know."""
        found = caveats.of_plan(self.base.plan, self.options)
        found += [
            f"No estimate of {', '.join(labels)}: {doubt}." for doubt, labels in self.doubts.items()
        ]
        columns = [
            (metric, self.column(metric)) for metric in (self.options.primary, *self.metrics)
        ]
        found += filter(None, (missing_values(self.listeners, *each) for each in columns))
        if self.options.primary.name == SESSION_TIME.name:
            plain = self.primary_effects(
                self.column(self.options.primary), self.options.primary, False
            )
            alpha = self.base.plan.alpha
            pooled = estimate_effects(self.questions([TIME_PER_SESSION]), None, alpha)
            sessions = estimate_effects(self.questions([SESSIONS]), None, alpha)
            found += caveats.of_other_ways(plain, pooled, sessions)
            found += caveats.of_first_tracks(self.listeners)
        found += sensitivity.describe(shown, self.base.plan.power, self.base.arms)
        return found + caveats.of_open_sessions(self.base.arms)


def adjust_by_past(listeners: ListenerTable, column: Column) -> Column | None:
    """Adjust a metric by the past (CUPED); None if too few listeners have one."""
    if column.metric.per is not None:
        return None
    sums = listeners.past_sums(column)
    count = sum(arm.n for arm in sums.values())
    if not count or sum(arm.known for arm in sums.values()) / count < PAST_SHARE:
        return None
    return replace(column, adjusted=dict(zip(sums, adjust_sums(list(sums.values())), strict=True)))
