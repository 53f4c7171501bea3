"""Options of a report for one experiment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from analysis.effects.guardrails import Margin
from analysis.effects.metrics import Metric
from analysis.effects.plans import NO_PLAN, ChosenPlan

Pair = tuple[str, str]
"""Control and treatment."""


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """The reader's questions about one experiment.

    Attributes:
        primary: The metric of the verdict.
        others: All other metrics.
        control: Arm to compare with; None for the first of config, or C.
        all_pairs: Compare every arm with every other arm.
        segments: Attributes to divide the listeners by.
        even_if_invalid: Show effects although a check failed.
        margins: Metric -> how much worse a guardrail may get.
        plan: The plan that counts, and where it comes from.
    """

    primary: Metric
    others: Sequence[Metric]
    control: str | None = None
    all_pairs: bool = False
    segments: Sequence[str] = ()
    even_if_invalid: bool = False
    margins: Mapping[str, Margin] = field(default_factory=dict)
    plan: ChosenPlan = NO_PLAN
