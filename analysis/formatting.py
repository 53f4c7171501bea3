"""Numbers as people read them; the terminal and the page share them."""

from collections import Counter
from datetime import UTC, datetime

from analysis.checks.result import Status, ValidityReport
from analysis.effects.metrics import Metric
from analysis.effects.results import ArmSummary, Effect
from analysis.statistics.contrast import Interval


def value(metric: Metric, number: float | None) -> str:
    """A metric's value with its unit."""
    if number is None:
        return "–"
    if metric.unit == "share":
        return f"{100 * number:.2f} %" if number < 0.1 else f"{100 * number:.1f} %"
    if metric.unit == "ms":
        return f"{number:.2f} ms" if number < 100 else f"{number:,.0f} ms"
    return _short(number)


def lift(effect: Effect) -> str:
    """The estimate: `+12.4 %`; `undefined` where the control is not clear of 0."""
    if effect.lift is not None:
        return f"{_percent(effect.lift.estimate)} %"
    return "–" if effect.difference is None else "undefined"


def bounds(effect: Effect) -> str:
    """The interval, in percent: `[+8.1, +16.9]`; of the difference where the lift is undefined."""
    if effect.lift is not None:
        return f"[{_percent(effect.lift.low)}, {_percent(effect.lift.high)}]"
    if effect.difference is not None:
        return f"[{effect.difference.low:+.3g}, {effect.difference.high:+.3g}] abs."
    return ""


def percent(interval: Interval) -> str:
    """A lift with its interval: `+12.4 % [+8.1, +16.9]`."""
    low, high = _percent(interval.low), _percent(interval.high)
    return f"{_percent(interval.estimate)} % [{low}, {high}]"


def p_value(p: float | None) -> str:
    """A p-value to three digits."""
    if p is None:
        return "–"
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def moment(at_ms: int) -> str:
    """A time in UTC, to the minute."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")


def span(window: tuple[int, int]) -> str:
    """A window: from, to and how long that is."""
    seconds = (window[1] - window[0]) / 1000
    for size, unit in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds >= 2 * size:
            length = f"{seconds / size:.1f} {unit}"
            break
    else:
        length = f"{seconds:.0f} s"
    return f"{moment(window[0])} to {moment(window[1])} UTC, {length}"


def coverage(arm: ArmSummary) -> str:
    """Tracks that an arm reached: `9,437 (94 %)`."""
    share = "" if arm.catalog_share is None else f" ({100 * arm.catalog_share:.0f} %)"
    return f"{arm.coverage:,.0f}{share}"


def check_counts(validity: ValidityReport) -> str:
    """How many gates said what: `13 passed, 2 warnings, 4 cannot tell, 1 not made`."""
    counts = Counter(check.status for check in validity.checks)
    return ", ".join(
        f"{counts[status]} {status.value}"
        + ("s" if status is Status.WARNING and counts[status] > 1 else "")
        for status in Status
        if counts[status]
    )


def _percent(share: float) -> str:
    """Percent with a sign; tenths only where they say something."""
    return f"{100 * share:+.1f}" if abs(share) < 9.995 else f"{100 * share:+,.0f}"


def _short(number: float) -> str:
    if abs(number) >= 10_000:
        return f"{number:,.0f}"
    return f"{number:.3f}" if abs(number) < 100 else f"{number:,.1f}"
