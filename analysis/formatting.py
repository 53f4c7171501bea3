"""Numbers as people read them. The verdict, the terminal and the page share them."""

from datetime import UTC, datetime

from analysis.statistics.contrast import Interval


def percent(interval: Interval) -> str:
    """A lift with its interval: `+12.4 % [+8.1, +16.9]`."""
    low, high = signed_percent(interval.low), signed_percent(interval.high)
    return f"{signed_percent(interval.estimate)} % [{low}, {high}]"


def confidence(alpha: float) -> str:
    """Format the confidence of an interval: `95 %`."""
    return f"{100 * (1 - alpha):.4g} %"


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


def signed_percent(share: float) -> str:
    """Percent with a sign; tenths only below 10 %."""
    return f"{100 * share:+.1f}" if abs(share) < 9.995 else f"{100 * share:+,.0f}"


def short(number: float) -> str:
    """A number with as many digits as tell something."""
    if abs(number) >= 10_000:
        return f"{number:,.0f}"
    return f"{number:.3f}" if abs(number) < 100 else f"{number:,.1f}"
