"""Effects by the days since a listener entered: an effect that fades was one of novelty."""

from collections.abc import Sequence

from analysis.effects.listener_table import ListenerTable
from analysis.effects.over_time import Pair, lift_of, listener_sums
from analysis.effects.results import DayEffect, EffectByDay
from analysis.statistics.inference import FixedHorizonTest
from analysis.statistics.listener_sums import ListenerSums
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
    rows = listeners.query(
        read_query("analysis", "effect_since_entry"), {"experiment": listeners.experiment}
    )
    known = {(arm, day): listener_sums(*sums) for arm, day, *sums in rows}
    found: list[list[DayEffect]] = [[] for _ in pairs]
    for day in range(min(MOST_DAYS, max((day for _, day in known), default=-1) + 1)):
        here = {arm: known.get((arm, day), ListenerSums()) for arm in listeners.arms}
        for days, pair in zip(found, pairs, strict=True):
            count = sum(here[arm].n for arm in pair)
            days.append(DayEffect(day, count, lift_of(here, pair, FixedHorizonTest(), alpha)))
    return tuple(
        EffectByDay(control, treatment, tuple(days))
        for (control, treatment), days in zip(pairs, found, strict=True)
    )
