"""Data of the page's charts without effects: arrivals by arm, and lengths of sessions."""

import math

from analysis.effects.listener_table import ListenerTable
from analysis.effects.over_time import stretches_of
from analysis.effects.results import ChartData
from events.queries import read_query

CLASSES = 30


def chart_data(listeners: ListenerTable, window: tuple[int, int]) -> ChartData:
    """Count arrivals over time, and session times in classes up to their 99th percentile."""
    start, step = stretches_of(window)
    arrivals: dict[int, dict[str, int]] = {}
    for stretch, arm, count in listeners.query(
        read_query("analysis", "arrivals"), {"from_ms": start, "to_ms": window[1], "step_ms": step}
    ):
        arrivals.setdefault(start + stretch * step, {})[arm] = count
    longest = listeners.one(
        "SELECT coalesce(percentile_disc(0.99) WITHIN GROUP (ORDER BY round(time_all, 6)), 0) "
        "FROM arm_sessions "
        "WHERE experiment = ? AND ended",
        [listeners.experiment],
    )
    width = _round_up(max(float(longest), 0.01) / (CLASSES - 1))
    last = math.ceil(float(longest) / width)
    counts = {arm: [0] * (last + 1) for arm in listeners.arms}
    for arm, place, count in listeners.query(
        read_query("analysis", "session_times"),
        {"width": width, "last": last, "experiment": listeners.experiment},
    ):
        counts[arm][place] = count
    return ChartData(
        step,
        tuple(sorted(arrivals.items())),
        tuple(round(width * place, 9) for place in range(last + 1)),
        {
            arm: tuple(count / max(1, sum(classes)) for count in classes)
            for arm, classes in counts.items()
        },
    )


def _round_up(width: float) -> float:
    """Round up to 1, 2, 2.5 or 5 times a power of ten."""
    power = 10.0 ** math.floor(math.log10(width))
    return next(step * power for step in (1, 2, 2.5, 5, 10) if step * power >= width * 0.999)
