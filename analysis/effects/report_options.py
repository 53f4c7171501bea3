"""What a reader asks of a report."""

from collections.abc import Sequence
from dataclasses import dataclass

from analysis.effects.metrics import Metric
from analysis.statistics.inference import ALPHA

Pair = tuple[str, str]
"""Control and treatment."""


@dataclass(frozen=True, slots=True)
class ReportOptions:
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
