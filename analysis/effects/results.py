"""The results of a report, as plain values: the terminal, the page and JSON show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from analysis.checks.result import ValidityReport
from analysis.effects.metrics import Metric
from analysis.effects.plans import PlanSource
from analysis.statistics.contrast import Interval
from analysis.statistics.inference import ALPHA

ALL_SO_FAR = "all so far"
"""Begin of the method of a row over all listeners, beside a verdict over the planned ones."""
EARLY_SHARE = 0.2
"""Part of the planned error rate for all looks before the planned size. The planned look then needs
no correction: with the looks before it, the whole rule errs in 5.11 % instead of 5.09 % of 10,000
A/A experiments. With all of the rate for the early looks, it errs in 5.41 %
(docs/results/error-rates.md)."""


@dataclass(frozen=True, slots=True)
class Effect:
    """The effect of a treatment on one metric, against the control.

    Attributes:
        metric: The metric.
        control: Name of the control arm.
        treatment: Name of the treatment arm.
        control_n: Listeners of the control with a value.
        treatment_n: Listeners of the treatment with a value.
        control_mean: The control's value; None without listeners.
        treatment_mean: The treatment's value.
        difference: Treatment minus control with its interval; None if it cannot be estimated.
        lift: Difference relative to the control; None if the control may be 0.
        p: p-value of the inference method; None for a bootstrap.
        corrected: p-value after the correction over its family; None without a correction.
        confidence: Confidence of both intervals.
        method: How the intervals were made, in words.
        detectable: The smallest lift that so many listeners show with the planned power; None where
            nothing can be said, or for rows other than the primary metric.
        one_look: Whether the interval holds for one look only, in a table whose intervals hold for
            any number of looks. Such a row makes no claim.
        claim: The claim that the evidence supports: the metric went `up` or `down`; None for none.
        note: What a reader must know about this row.
        margin: How much worse a guardrail may get, as text: `1 ms`; empty without a margin.
        guard: Where a guardrail's interval lies: `within` the margin, `beyond` it, or on both sides
            of it (`unclear`); None without a margin or an interval.
    """

    metric: Metric
    control: str
    treatment: str
    control_n: int
    treatment_n: int
    control_mean: float | None
    treatment_mean: float | None
    difference: Interval | None = None
    lift: Interval | None = None
    p: float | None = None
    corrected: float | None = None
    confidence: float = 0.95
    method: str = ""
    claim: Literal["up", "down"] | None = None
    note: str = ""
    margin: str = ""
    guard: Literal["within", "beyond", "unclear"] | None = None
    detectable: float | None = None
    one_look: bool = False

    @property
    def good(self) -> bool | None:
        """Say whether the claim is good news; None without a claim or a preferred direction."""
        if self.claim is None or self.metric.better == "either":
            return None
        return (self.claim == "up") == (self.metric.better == "more")


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """One arm of the allocation table.

    Attributes:
        name: The arm.
        strategy: The arm's strategy in config; None if the config is unknown.
        strategy_type: The type of that strategy; None if the config is unknown.
        weight: Planned share in [0, 1]; None if the config is unknown.
        listeners: Number of counted listeners.
        share: Their share of the listeners of all arms.
        sessions: Ended sessions.
        open_sessions: Sessions that were still open at the end of the log.
        answers: Recommendations given.
        fallbacks: Share of answers by a fallback; None if the log does not tell.
        latency_ms: Name of the quantile (p50, p90, p99) -> ms.
        coverage: Number of different tracks recommended, at the answers of the smallest arm.
        catalog_share: Coverage as a share of the catalog; None if the catalog is unknown.
    """

    name: str
    strategy: str | None
    strategy_type: str | None
    weight: float | None
    listeners: int
    share: float
    sessions: int
    open_sessions: int
    answers: int
    fallbacks: float | None
    latency_ms: Mapping[str, float]
    coverage: float
    catalog_share: float | None

    @property
    def label(self) -> str:
        """The arm with its strategy, and with the type if it has another name: `T1 (improved)`."""
        if self.strategy is None:
            return self.name
        kind = self.strategy_type
        also = f", {kind}" if kind is not None and kind != self.strategy else ""
        return f"{self.name} ({self.strategy}{also})"


@dataclass(frozen=True, slots=True)
class PlannedSize:
    """The planned size of an experiment, and the size so far.

    Attributes:
        listeners: Planned listeners of all arms; None without a plan.
        source: Where the planned size comes from.
        seen: Listeners of all arms so far.
        counted: Listeners that the effects are about; those after the planned ones are not counted.
        until_ms: The effects count sessions that began up to this time, Unix time in ms; None for
            all sessions.
        alpha: Planned error rate of the experiment.
        power: Planned probability to find an effect.
        sealed_listeners: The size that was sealed when the experiment started; None without one.
        metric: Name of the metric that the plan was made for; "" without one.
    """

    listeners: int | None
    source: PlanSource
    seen: int
    counted: int = 0
    until_ms: int | None = None
    alpha: float = ALPHA
    power: float = 0.8
    sealed_listeners: int | None = None
    metric: str = ""

    @property
    def reached(self) -> bool:
        """Say whether the fixed-horizon test may be used: over the planned listeners only."""
        return self.listeners is not None and self.seen >= self.listeners

    @property
    def early_alpha(self) -> float:
        """Error rate of the always-valid intervals, which hold at every look before the size."""
        return self.alpha if self.listeners is None else EARLY_SHARE * self.alpha

    @property
    def claim_alpha(self) -> float:
        """Error rate of the claims that the report makes now."""
        return self.alpha if self.reached else self.early_alpha


@dataclass(frozen=True, slots=True)
class Segment:
    """The effect within one segment.

    Attributes:
        value: The value of the attribute.
        effect: The effect on the primary metric, corrected over the segments.
    """

    value: str
    effect: Effect


@dataclass(frozen=True, slots=True)
class Segments:
    """The primary effect by one attribute, for one pair of arms.

    Attributes:
        attribute: The attribute that divides the listeners.
        control: Name of the control arm.
        treatment: Name of the treatment arm.
        segments: Largest first.
        p: p-value of the interaction: the segments differ this much although the effect is equal.
        corrected: This p-value, corrected over all attributes and pairs.
    """

    attribute: str
    control: str
    treatment: str
    segments: tuple[Segment, ...]
    p: float | None
    corrected: float | None


@dataclass(frozen=True, slots=True)
class StretchEffect:
    """The effect in one stretch of time, for one pair of arms.

    Attributes:
        from_ms: Start of the stretch, Unix time in ms.
        alone: Effect among the sessions that began in it; None with too few listeners.
        so_far: Effect among all sessions up to its end, with an always-valid interval.
    """

    from_ms: int
    alone: Interval | None
    so_far: Interval | None


@dataclass(frozen=True, slots=True)
class EffectOverTime:
    """An effect over time.

    Attributes:
        control: Name of the control arm.
        treatment: Name of the treatment arm.
        stretches: In order of time.
    """

    control: str
    treatment: str
    stretches: tuple[StretchEffect, ...]


@dataclass(frozen=True, slots=True)
class DayEffect:
    """The effect on one day after the listeners' entry, for one pair of arms.

    Attributes:
        day: The day; 0 begins with a listener's entry, so that each listener has their own.
        listeners: Listeners of both arms with an ended session on it.
        lift: Effect among their sessions of that day; None with too few listeners.
    """

    day: int
    listeners: int
    lift: Interval | None


@dataclass(frozen=True, slots=True)
class EffectByDay:
    """An effect by the days since a listener entered.

    Attributes:
        control: Name of the control arm.
        treatment: Name of the treatment arm.
        days: In order.
    """

    control: str
    treatment: str
    days: tuple[DayEffect, ...]


@dataclass(frozen=True, slots=True)
class ChartData:
    """Data of the page's charts.

    Attributes:
        step_ms: Length of a stretch of time.
        arrivals: (from_ms, arm -> listeners first seen in the stretch), in order of time.
        edges: Borders of the session time's classes, in tracks; the last class is open upwards.
        sessions: Arm -> share of its ended sessions in each class.
    """

    step_ms: int
    arrivals: tuple[tuple[int, Mapping[str, int]], ...]
    edges: tuple[float, ...]
    sessions: Mapping[str, tuple[float, ...]]


@dataclass(frozen=True, slots=True)
class ExperimentResult:
    """Everything about one experiment.

    Attributes:
        experiment: Its name.
        control: The arm that others are compared with.
        arms: In the order of config, or of their names.
        window: First and last event, Unix time in ms.
        validity: The results of the checks.
        plan: Planned and seen.
        inference: Which interval stands in the tables.
        withheld: Whether the effects are withheld because a check failed.
        verdicts: One sentence for each comparison; a reader reads them first.
        excluded: Reason -> number of listeners that are left out.
        primary: The primary metric, one row for each comparison; adjusted by the past if possible.
        alternatives: The primary metric by other methods: unadjusted, bootstrap-t.
        secondary: The other metrics.
        guardrails: Metrics that must not get worse; not corrected, to see harm early.
        corrections: How each table was corrected.
        segments: The primary effect by each attribute of the options.
        over_time: The effects over time.
        by_day: The effects by the days since a listener entered.
        charts: Data of the charts; None if the effects are withheld.
        notes: Caveats, one or two sentences each.
    """

    experiment: str
    control: str
    arms: tuple[ArmSummary, ...]
    window: tuple[int, int]
    validity: ValidityReport
    plan: PlannedSize
    inference: Literal["fixed", "always-valid"]
    withheld: bool
    verdicts: tuple[str, ...]
    excluded: Mapping[str, int]
    primary: tuple[Effect, ...] = ()
    alternatives: tuple[Effect, ...] = ()
    secondary: tuple[Effect, ...] = ()
    guardrails: tuple[Effect, ...] = ()
    corrections: Mapping[str, str] = field(default_factory=dict)
    segments: tuple[Segments, ...] = ()
    over_time: tuple[EffectOverTime, ...] = ()
    by_day: tuple[EffectByDay, ...] = ()
    charts: ChartData | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportProvenance:
    """The inputs of a report, to make the same report again.

    Attributes:
        version: Version of Segue.
        command: The command line.
        files: (path, format, lines, SHA-256 of the content), in the order of the arguments.
        configs: Digest of a config -> number of events that it decided.
        dropped: (reason, lines, first places) of dropped lines.
    """

    version: str
    command: str
    files: Sequence[tuple[str, str, int, str]]
    configs: Mapping[str, int]
    dropped: Sequence[tuple[str, int, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Report:
    """The results of every experiment in a log, and the provenance of the report."""

    provenance: ReportProvenance
    experiments: tuple[ExperimentResult, ...]

    @property
    def valid(self) -> bool:
        """Say whether no experiment failed a check."""
        return all(result.validity.valid for result in self.experiments)
