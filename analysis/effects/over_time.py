"""Effects over time: of each stretch of time alone, and of all time so far."""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.effects.listener_table import ListenerTable
from analysis.effects.results import EffectOverTime, PlannedSize, StretchEffect
from analysis.statistics.contrast import Contrast, Interval
from analysis.statistics.inference import FixedHorizonTest, InferenceMethod
from analysis.statistics.listener_sums import ListenerSums
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
    rows = listeners.query(
        read_query("analysis", "effect_over_time"),
        {
            "from_ms": start,
            "to_ms": window[1],
            "step_ms": step,
            "experiment": listeners.experiment,
        },
    )
    alone = {(arm, stretch): listener_sums(n, x, xx) for arm, stretch, n, x, xx, *_ in rows}
    growth = {(arm, stretch): listener_sums(*sums) for arm, stretch, _, _, _, *sums in rows}
    so_far = dict.fromkeys(listeners.arms, ListenerSums())
    stretches: list[list[StretchEffect]] = [[] for _ in pairs]
    for stretch in range(max((stretch for _, stretch in alone), default=-1) + 1):
        here = {arm: alone.get((arm, stretch), ListenerSums()) for arm in listeners.arms}
        so_far = {
            arm: sums + growth.get((arm, stretch), ListenerSums()) for arm, sums in so_far.items()
        }
        for found, (pair, inference) in zip(stretches, pairs, strict=True):
            found.append(
                StretchEffect(
                    start + stretch * step,
                    lift_of(here, pair, FixedHorizonTest(), plan.alpha),
                    lift_of(so_far, pair, inference, plan.early_alpha),
                )
            )
    return tuple(
        EffectOverTime(control, treatment, tuple(found))
        for ((control, treatment), _), found in zip(pairs, stretches, strict=True)
    )


def listener_sums(n: Any, x: Any, xx: Any) -> ListenerSums:
    """Make sums of what a query added up in billionths, as whole numbers of either engine."""
    return ListenerSums(int(n), int(x), int(xx))


def lift_of(
    sums: Mapping[str, ListenerSums], pair: Pair, inference: InferenceMethod, alpha: float
) -> Interval | None:
    """Return the lift of a mean, from each arm's sums; None with too few listeners."""
    contrast = Contrast(*(sums[arm].mean for arm in pair))
    if min(contrast.control.n, contrast.treatment.n) < FEWEST or not contrast.known:
        return None
    return contrast.lift_ci(inference.critical(contrast, alpha))
