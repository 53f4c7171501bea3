"""Options of a report for one experiment."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from analysis.effects.guardrails import Margin
from analysis.effects.metrics import Metric
from analysis.statistics.inference import ALPHA

Pair = tuple[str, str]
"""Control and treatment."""


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """What the reader wants to know about one experiment.

    Attributes:
        primary: The metric of the verdict.
        others: All other metrics.
        control: Arm to compare with; None for the first of config, or C.
        all_pairs: Compare every arm with every other arm.
        segments: Attributes to divide the listeners by.
        even_if_invalid: Show effects although a check failed.
        planned: Planned listeners of all arms; None without a plan.
        planned_by: Where the plan stands.
        planned_metric: Name of the metric that the plan was made for; "" without one.
        planned_alpha: Error rate that the plan was made for.
        margins: Metric -> how much worse a guardrail may get.
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
    margins: Mapping[str, Margin] = field(default_factory=dict)
