"""Effects over time: of each stretch of time alone, and of all time so far."""

from collections.abc import Sequence

import numpy as np

from analysis.effects.listener_table import ListenerTable
from analysis.effects.results import EffectOverTime, PlannedSize, StretchEffect
from analysis.statistics.contrast import Contrast, Interval
from analysis.statistics.inference import FixedHorizonTest, InferenceMethod
from analysis.statistics.sample_moments import SampleMoments, Values
from events.queries import read_query

STEPS_MS = tuple(1000 * seconds for seconds in (1, 10, 60, 600, 3_600, 86_400, 7 * 86_400))
MOST_STRETCHES = 48
FEWEST = 20
"""Below so many listeners in an arm, a stretch gets no estimate."""

Pair = tuple[str, str]


def stretches_of(window: tuple[int, int]) -> tuple[int, int]:
    """Start of the first stretch of time, and the length of each, in ms.

    The length is the shortest step that divides the window into at most `MOST_STRETCHES`. Stretches
    begin at round times, days at midnight UTC.
    """
    length = window[1] - window[0] + 1
    step = next((step for step in STEPS_MS if step * MOST_STRETCHES >= length), STEPS_MS[-1])
    return window[0] // step * step, step


def effects_over_time(
    listeners: ListenerTable,
    pairs: Sequence[tuple[Pair, InferenceMethod]],
    window: tuple[int, int],
    plan: PlannedSize,
) -> tuple[EffectOverTime, ...]:
    """Estimate the effect on mean session time over time.

    Args:
        listeners: The listener table of the experiment.
        pairs: (control, treatment), and the confidence sequence of the pair.
        window: First and last event, Unix time in ms.
        plan: The plan, for the error rates.
    """
    start, step = stretches_of(window)
    table = listeners.arrays(
        read_query("analysis", "effect_over_time"),
        {"from_ms": start, "step_ms": step, "experiment": listeners.experiment},
    )
    places = {name: place for place, name in enumerate(listeners.labels('"user"').tolist())}
    whose = np.fromiter((places[name] for name in table["listener"]), np.int64)
    number = np.asarray(table["stretch"])
    time, sessions = np.asarray(table["time_all"]), np.asarray(table["sessions"], dtype=np.float64)
    stretches: list[list[StretchEffect]] = [[] for _ in pairs]
    total, count = np.zeros(listeners.count), np.zeros(listeners.count)
    for stretch in range(int(number[-1]) + 1 if len(number) else 0):
        here = slice(*np.searchsorted(number, [stretch, stretch + 1]))
        total[whose[here]] += time[here]
        count[whose[here]] += sessions[here]
        alone = np.full(listeners.count, np.nan)
        alone[whose[here]] = time[here] / sessions[here]
        so_far = np.divide(total, count, out=np.full(listeners.count, np.nan), where=count > 0)
        for found, (pair, inference) in zip(stretches, pairs, strict=True):
            found.append(
                StretchEffect(
                    start + stretch * step,
                    lift_of(listeners, alone, pair, FixedHorizonTest(), plan.alpha),
                    lift_of(listeners, so_far, pair, inference, plan.early_alpha),
                )
            )
    return tuple(
        EffectOverTime(control, treatment, tuple(found))
        for ((control, treatment), _), found in zip(pairs, stretches, strict=True)
    )


def lift_of(
    listeners: ListenerTable, values: Values, pair: Pair, inference: InferenceMethod, alpha: float
) -> Interval | None:
    """Return the lift of some values, nan for a listener without one; None with too few."""
    arms = [values[listeners.arm_of[arm]] for arm in pair]
    contrast = Contrast(*(SampleMoments.of(arm[~np.isnan(arm)]) for arm in arms))
    if min(contrast.control.n, contrast.treatment.n) < FEWEST or not contrast.known:
        return None
    return contrast.lift_ci(inference.critical(contrast, alpha))
