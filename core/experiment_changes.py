"""Continuity: what may change in a started experiment. Listeners may enter; nobody leaves or moves.

Whoever was in an arm must stay in it for as long as the experiment has this name and version, or
the log would have listeners who saw two treatments under one name.
"""

from typing import Any, NamedTuple

from core.allocation import SLOTS, Experiment, bounds, digest_of


class BreakingChange(NamedTuple):
    """A change that takes listeners out of an arm.

    Attributes:
        key: The changed key of the definition.
        what: What it was, what it is.
    """

    key: str
    what: str


def breaking_changes(before: Experiment, after: Experiment) -> list[BreakingChange]:
    """Everything in `after` that takes a listener out of the arm that `before` gave.

    `forced` is left out: a forced arm is a test, and no analysis sees it.

    Args:
        before: The definition that was served, at its widest.
        after: The one that is to be served under the same name and version.
    """
    found = [
        BreakingChange(key, f"was {getattr(before, key)!r}, is {getattr(after, key)!r}")
        for key in ("salt", "layer", "hash")
        if getattr(before, key) != getattr(after, key)
    ]
    if _treatments(before) != _treatments(after):
        found.append(
            BreakingChange("arms", f"were {_treatments(before)}, are {_treatments(after)}")
        )
    elif _bounds(before) != _bounds(after):
        # The weights' sum is fixed, so an arm grows only by listeners that another arm loses.
        found.append(
            BreakingChange("arms", f"had weights {_weights(before)}, have {_weights(after)}")
        )
    if not (after.slots[0] <= before.slots[0] and before.slots[1] <= after.slots[1]):
        found.append(
            BreakingChange(
                "slots", f"were {list(before.slots)}, are {list(after.slots)}; may only widen"
            )
        )
    if round(after.traffic * SLOTS) < round(before.traffic * SLOTS):
        found.append(
            BreakingChange(
                "traffic",
                f"reached {before.traffic:g}, is {after.traffic:g}; may only grow, "
                "or be 0 to stop the experiment",
            )
        )
    if not _wider(before, after):
        found.append(
            BreakingChange(
                "targeting",
                f"was {_allowed(before)}, is {_allowed(after)}; may only admit more listeners",
            )
        )
    return found


def widest_definition(before: Experiment, after: Experiment) -> Experiment:
    """The definition to compare the next one with, once `after` has been served without a break."""
    return before if after.traffic == 0 else after


def assignment_fingerprint(experiment: Experiment) -> str:
    """Fingerprint of what a started experiment keeps for as long as it runs, 12 hex digits.

    Two definitions of one lineage may differ in who enters, but not in which arm.
    """
    return digest_of(
        [
            experiment.name,
            experiment.version,
            experiment.salt,
            experiment.layer,
            experiment.hash,
            _treatments(experiment),
            _bounds(experiment),
        ]
    )


def _treatments(experiment: Experiment) -> str:
    return ", ".join(
        arm.name if arm.strategy is None else f"{arm.name} {arm.strategy}"
        for arm in experiment.arms
    )


def _weights(experiment: Experiment) -> str:
    return ", ".join(f"{arm.name} {arm.weight:g}" for arm in experiment.arms)


def _bounds(experiment: Experiment) -> list[int]:
    return bounds([arm.weight for arm in experiment.arms])


def _wider(before: Experiment, after: Experiment) -> bool:
    """Whether whoever was targeted still is; `true` is not 1, as in `eligible`."""

    def values(experiment: Experiment, key: str) -> set[Any]:
        return {(isinstance(value, bool), value) for value in experiment.targeting[key]}

    return all(
        key in before.targeting and values(before, key) <= values(after, key)
        for key in after.targeting
    )


def _allowed(experiment: Experiment) -> dict[str, list[Any]]:
    return {key: list(values) for key, values in experiment.targeting.items()}
