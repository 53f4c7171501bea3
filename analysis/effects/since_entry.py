"""Effects by the days since a listener entered: an effect that fades was one of novelty."""

from collections.abc import Sequence

import numpy as np

from analysis.effects.listener_table import ListenerTable
from analysis.effects.over_time import Pair, lift_of
from analysis.effects.results import DayEffect, EffectByDay
from analysis.statistics.inference import FixedHorizonTest
from events.queries import read_query

MOST_DAYS = 28


def effects_since_entry(
    listeners: ListenerTable, pairs: Sequence[Pair], alpha: float
) -> tuple[EffectByDay, ...]:
    """Estimate the effect on mean session time on each day after the listeners' entry.

    Args:
        listeners: The listener table of the experiment.
        pairs: (control, treatment).
        alpha: Error rate of each interval.
    """
    table = listeners.arrays(
        read_query("analysis", "effect_since_entry"), {"experiment": listeners.experiment}
    )
    places = {name: place for place, name in enumerate(listeners.labels('"user"').tolist())}
    whose = np.fromiter((places[name] for name in table["listener"]), np.int64)
    number = np.asarray(table["day"])
    time, sessions = np.asarray(table["time_all"]), np.asarray(table["sessions"], dtype=np.float64)
    found: list[list[DayEffect]] = [[] for _ in pairs]
    for day in range(min(MOST_DAYS, int(number[-1]) + 1 if len(number) else 0)):
        here = slice(*np.searchsorted(number, [day, day + 1]))
        values = np.full(listeners.count, np.nan)
        values[whose[here]] = time[here] / sessions[here]
        for days, pair in zip(found, pairs, strict=True):
            count = sum(int((~np.isnan(values[listeners.arm_of[arm]])).sum()) for arm in pair)
            lift = lift_of(listeners, values, pair, FixedHorizonTest(), alpha)
            days.append(DayEffect(day, count, lift))
    return tuple(
        EffectByDay(control, treatment, tuple(days))
        for (control, treatment), days in zip(pairs, found, strict=True)
    )
