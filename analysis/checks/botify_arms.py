"""Botify's experiments: its log names arms, but neither their number nor their order.

Botify's arm is murmur3_32(listener, seed = murmur3_32(experiment)) modulo the number of arms. A log
in which each residue has one arm tells the number and the order.
"""

from collections import defaultdict
from typing import Any

from analysis.checks.archived_configs import botify_experiment
from analysis.checks.context import CheckContext
from core.allocation import Allocation

MOST_ARMS = 16
"""Largest number of arms that is tried."""


def infer_arms(context: CheckContext, experiment: str) -> tuple[tuple[str, ...], str] | None:
    """Infer the arms of an experiment in the order of their numbers, and tell how.

    None if botify's lines have no such experiment.
    """
    if experiment not in context.numbered:
        context.numbered[experiment] = _infer_arms(context, experiment)
    return context.numbered[experiment]


def _infer_arms(context: CheckContext, experiment: str) -> tuple[tuple[str, ...], str] | None:
    given = context.configs.botify.get(experiment)
    if given is not None:
        return given, f"Arms in the order given: {', '.join(given)}."
    rows = context.query(
        """SELECT DISTINCT e."user", a.arm FROM events AS e
        INNER JOIN assignments AS a ON e.experiments = a.experiments
        WHERE e."schema" = 0 AND a.experiment = ?""",
        [experiment],
    )
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
    return named or tuple(seen), (
        f"No order of 2 to {MOST_ARMS} arms makes botify's hash of the name '{experiment}' agree "
        "with the log."
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
