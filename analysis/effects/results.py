"""What a report says, as plain values that the terminal, the page and JSON are all made of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from analysis.checks.result import ValidityReport
from analysis.effects.metrics import Metric
from analysis.statistics.contrast import Interval


@dataclass(frozen=True, slots=True)
class Effect:
    """A treatment against the control, in one metric.

    Attributes:
        metric: What was measured.
        control: Name of the arm that is compared with.
        treatment: Name of the arm that is compared.
        control_n: Listeners of the control that have a value.
        treatment_n: Listeners of the treatment that have one.
        control_mean: The control's value; None without listeners.
        treatment_mean: The treatment's value.
        difference: Treatment minus control with its interval; None where nothing can be said.
        lift: Relative to the control; None where the control is not clear of 0.
        p: p-value by the rule in force; None for a bootstrap.
        corrected: The same after correction over its family; None where there was none.
        confidence: Of both intervals.
        method: How the intervals were made.
        claim: What may be said: the metric went `up` or `down`; None: nothing may.
        note: What a reader must know of this row.
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

    @property
    def good(self) -> bool | None:
        """Whether the claim is good news; None without a claim or without a direction."""
        if self.claim is None or self.metric.better == "either":
            return None
        return (self.claim == "up") == (self.metric.better == "more")


@dataclass(frozen=True, slots=True)
class ArmSummary:
    """One arm of the allocation table.

    Attributes:
        name: The arm.
        strategy: What it names in config; None where the config is unknown.
        weight: Promised share in [0, 1]; None where the config is unknown.
        listeners: Listeners that were counted.
        share: Their share of all arms' listeners.
        sessions: Ended sessions.
        open_sessions: Sessions that were still open at the end of the log.
        answers: Recommendations given.
        fallbacks: Share of answers by a fallback; None where the log does not say.
        latency_ms: Name of the quantile (p50, p90, p99) -> ms.
        coverage: Different tracks recommended, at as many answers as the smallest arm gave.
        catalog_share: The same as a share of the catalog; None where the catalog is unknown.
    """

    name: str
    strategy: str | None
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


@dataclass(frozen=True, slots=True)
class PlannedSize:
    """How large the experiment was planned to be, and how far it is.

    Attributes:
        listeners: Planned listeners of all arms; None: nobody said.
        source: Where that stands.
        seen: Listeners of all arms so far.
    """

    listeners: int | None
    source: str
    seen: int

    @property
    def reached(self) -> bool:
        """Whether the fixed test may be used, once."""
        return self.listeners is not None and self.seen >= self.listeners


@dataclass(frozen=True, slots=True)
class Segment:
    """The effect within one segment.

    Attributes:
        value: Which segment.
        effect: The primary metric in it, corrected over the segments.
    """

    value: str
    effect: Effect


@dataclass(frozen=True, slots=True)
class Segments:
    """The primary effect by one attribute, for one pair of arms.

    Attributes:
        attribute: What the listeners were divided by.
        control: Arm compared with.
        treatment: Arm compared.
        segments: Largest first.
        p: Of the interaction: would segments differ this much if the effect were the same in all?
        corrected: The same, corrected over all attributes and pairs asked for.
    """

    attribute: str
    control: str
    treatment: str
    segments: tuple[Segment, ...]
    p: float | None
    corrected: float | None


@dataclass(frozen=True, slots=True)
class StretchEffect:
    """One stretch of time, for one pair of arms.

    Attributes:
        from_ms: Where it begins, Unix time in ms.
        alone: Effect among the sessions that began in it; None where nothing can be said.
        so_far: Effect among all sessions up to its end, always-valid.
    """

    from_ms: int
    alone: Interval | None
    so_far: Interval | None


@dataclass(frozen=True, slots=True)
class EffectOverTime:
    """How an effect went over time.

    Attributes:
        control: Arm compared with.
        treatment: Arm compared.
        stretches: In order of time.
    """

    control: str
    treatment: str
    stretches: tuple[StretchEffect, ...]


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
        validity: What the gates said.
        plan: Planned and seen.
        inference: Which interval stands in the tables.
        withheld: Whether the effects are kept back because a gate failed.
        verdicts: One sentence a comparison; the first thing to read.
        excluded: Reason -> listeners that were left out.
        primary: The primary metric, one row a comparison; adjusted by the past if there is one.
        alternatives: The primary metric by other methods: unadjusted, bootstrap-t.
        secondary: The other metrics.
        guardrails: What must not get worse; not corrected, so that harm is seen early.
        corrections: How each table was corrected.
        segments: By attribute, where asked for.
        over_time: Over time.
        charts: Data of charts; None when withheld.
        notes: What a reader must know.
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
    charts: ChartData | None = None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ReportProvenance:
    """What the report was made of, so that it can be made again.

    Attributes:
        version: Of Segue.
        command: The command line.
        files: (path, format, lines, SHA-256 of the content), as they were named.
        configs: Digests of the configs that decided, with the events each decided.
        dropped: (reason, lines, first places) of lines that are no events.
    """

    version: str
    command: str
    files: Sequence[tuple[str, str, int, str]]
    configs: Mapping[str, int]
    dropped: Sequence[tuple[str, int, Sequence[str]]]


@dataclass(frozen=True, slots=True)
class Report:
    """Findings of every experiment in a log, and what they were made of."""

    provenance: ReportProvenance
    experiments: tuple[ExperimentResult, ...]

    @property
    def valid(self) -> bool:
        """Whether no experiment failed a gate."""
        return all(result.validity.valid for result in self.experiments)
