"""Botify's experiments: its log names arms, but neither their number nor their order.

Botify's arm is murmur3_32(listener, seed = murmur3_32(experiment)) modulo the number of arms. A log
in which each residue has one arm tells the number and the order.
"""

from collections import Counter, defaultdict
from typing import Any

from analysis.checks.archived_configs import botify_experiment
from analysis.checks.context import CheckContext
from core.allocation import Allocation

MOST_ARMS = 16
"""Largest number of arms that is tried."""
AGREEING = 0.9
"""Share of the listeners from which an order of arms is believed although some are in no such arm.
Over two wrong orders of arms, at most half the listeners agree."""


def infer_arms(context: CheckContext, experiment: str) -> tuple[tuple[str, ...], str] | None:
    """Infer the arms of an experiment in the order of their numbers, and tell how.

    None if botify's lines have no such experiment.
    """
    if experiment not in context.numbered:
        context.numbered[experiment] = _infer_arms(context, experiment)
    return context.numbered[experiment]


def _infer_arms(context: CheckContext, experiment: str) -> tuple[tuple[str, ...], str] | None:
    given = context.configs.botify.get(experiment)
    rows = context.query(
        """SELECT DISTINCT e."user", a.arm FROM events AS e
        INNER JOIN assignments AS a ON e.experiments = a.experiments
        WHERE e."schema" = 0 AND a.experiment = ?""",
        [experiment],
    )
    if given is not None:
        return given, f"Arms in the order given: {', '.join(given)}.{_unknown(given, rows)}"
    if not rows:
        return None
    seen = sorted({arm for _, arm in rows}, key=_botify_order)
    named = _botify_names(seen)
    if named is not None and _agreement(experiment, named, rows) == len(rows):
        return named, (
            f"The arms were taken to be {', '.join(named)} in this order, as botify numbers them. "
            f"With a wrong order one listener in {len(named)} agrees; here all {len(rows):,} do."
        )
    for ways in range(2, MOST_ARMS + 1):
        order = _order_from_log(experiment, ways, rows)
        if order is not None:
            return order, (
                f"The log agrees with botify's hash over {ways} arms in the order "
                f"{', '.join(order)}. That order comes from the log itself, so swapped names stay "
                "unnoticed: give the order with --botify-arms."
            )
    most = _most_agreeing(experiment, rows)
    if most is not None:
        return most, (
            f"The arms were taken to be {', '.join(most)} in this order: with them botify's hash "
            f"agrees with {_agreement(experiment, most, rows):,} of {len(rows):,} listeners."
            f"{_unknown(most, rows)}"
        )
    usual = _botify_names(_usual_arms(rows)) or tuple(seen)
    return usual, (
        f"No order of 2 to {MOST_ARMS} arms makes botify's hash of the name '{experiment}' agree "
        f"with the log.{_unknown(usual, rows)}"
    )


def _most_agreeing(experiment: str, rows: list[tuple[Any, ...]]) -> tuple[str, ...] | None:
    """C, T1, T2 ..., as many as agree with most listeners; None below a share of `AGREEING`."""
    ways = [
        ("C", *(f"T{number}" for number in range(1, count))) for count in range(2, MOST_ARMS + 1)
    ]
    best = max(ways, key=lambda arms: _agreement(experiment, arms, rows))
    return best if _agreement(experiment, best, rows) >= AGREEING * len(rows) else None


def _usual_arms(rows: list[tuple[Any, ...]]) -> list[str]:
    """Arms with a tenth of the median arm's listeners or more: botify's arms have equal shares."""
    counts = Counter(arm for _, arm in rows)
    least = sorted(counts.values())[len(counts) // 2] / 10
    return sorted((arm for arm in counts if counts[arm] >= least), key=_botify_order)


def _unknown(arms: tuple[str, ...], rows: list[tuple[Any, ...]]) -> str:
    """A sentence for each arm of the log that is none of the experiment's."""
    counts = Counter(arm for _, arm in rows if arm not in arms)
    return "".join(
        f" Unknown arm {arm}: {count:,} {'listener is' if count == 1 else 'listeners are'} logged "
        "in it, and it is none of these arms."
        for arm, count in sorted(counts.items())
    )


def _botify_order(arm: str) -> tuple[int, str]:
    if arm == "C":
        return 0, arm
    return (int(arm[1:]) if arm[:1] == "T" and arm[1:].isdigit() else MOST_ARMS + 1), arm


def _botify_names(seen: list[str]) -> tuple[str, ...] | None:
    """C, T1, T2 ... up to the highest number in the log; None if an arm has a different name."""
    highest = max(_botify_order(arm)[0] for arm in seen)
    if highest > MOST_ARMS:
        return None
    return ("C", *(f"T{number}" for number in range(1, max(highest, 1) + 1)))


def _agreement(experiment: str, arms: tuple[str, ...], rows: list[tuple[Any, ...]]) -> int:
    allocation = Allocation([botify_experiment(experiment, arms)])
    return sum(allocation.assign(user).arms[experiment] == arm for user, arm in rows)


def _order_from_log(
    experiment: str, ways: int, rows: list[tuple[Any, ...]]
) -> tuple[str, ...] | None:
    """The arm of each residue modulo `ways`, if every residue has one arm of its own."""
    places = tuple(str(place) for place in range(ways))
    allocation = Allocation([botify_experiment(experiment, places)])
    found: defaultdict[str, set[str]] = defaultdict(set)
    for user, arm in rows:
        found[allocation.assign(user).arms[experiment]].add(arm)
    if len(found) < ways or any(len(arms) > 1 for arms in found.values()):
        return None
    order = tuple(next(iter(found[place])) for place in places)
    return order if len(set(order)) == ways else None
