"""Cells of a report's tables as text; the terminal and the page share them."""

from collections import Counter

from analysis.checks.result import Status, ValidityReport
from analysis.effects.metrics import Metric
from analysis.effects.results import ArmSummary, Effect
from analysis.formatting import short, signed_percent


def value(metric: Metric, number: float | None) -> str:
    """A metric's value with its unit."""
    if number is None:
        return "–"
    if metric.unit == "share":
        return f"{100 * number:.2f} %" if number < 0.1 else f"{100 * number:.1f} %"
    if metric.unit == "ms":
        return f"{number:.2f} ms" if number < 100 else f"{number:,.0f} ms"
    return short(number)


def lift(effect: Effect) -> str:
    """The estimate: `+12.4 %`; `undefined` if the control may be 0."""
    if effect.lift is not None:
        return f"{signed_percent(effect.lift.estimate)} %"
    return "–" if effect.difference is None else "undefined"


def bounds(effect: Effect) -> str:
    """The interval, in percent: `[+8.1, +16.9]`; of the difference if the lift is undefined."""
    if effect.lift is not None:
        return f"[{signed_percent(effect.lift.low)}, {signed_percent(effect.lift.high)}]"
    if effect.difference is not None:
        return f"[{effect.difference.low:+.3g}, {effect.difference.high:+.3g}] abs."
    return ""


def coverage(arm: ArmSummary) -> str:
    """Different tracks that an arm recommended: `9,437 (94 %)`."""
    share = "" if arm.catalog_share is None else f" ({100 * arm.catalog_share:.0f} %)"
    return f"{arm.coverage:,.0f}{share}"


def check_counts(validity: ValidityReport) -> str:
    """Number of checks by status: `13 passed, 2 warnings, 4 cannot tell, 1 not made`."""
    counts = Counter(check.status for check in validity.checks)
    return ", ".join(
        f"{counts[status]} {status.value}"
        + ("s" if status is Status.WARNING and counts[status] > 1 else "")
        for status in Status
        if counts[status]
    )


def interaction(p: float | None) -> str:
    """Describe the interaction test in words."""
    if p is None:
        return "One segment only: nothing to compare."
    if p <= 0.05:
        return f"The segments differ in their effect (interaction, corrected p {p:.3f})."
    return (
        f"The segments do not differ by more than chance (interaction, corrected p {p:.3f}): "
        "do not draw conclusions from a single segment."
    )
