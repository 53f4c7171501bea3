"""Experiment changes: decides which changes of a started experiment are allowed.

Listeners may enter; no listener leaves or moves. A listener stays in an arm for as long as the
experiment has this name and version: with a move, the log would have two treatments of one
listener under one name.
"""

from typing import Any, NamedTuple

from core.allocation import SLOTS, Experiment, bounds, digest_of


class BreakingChange(NamedTuple):
    """A change that takes listeners out of an arm.

    Attributes:
        key: The changed key of the definition.
        what: The old value and the new one.
    """

    key: str
    what: str


def breaking_changes(before: Experiment, after: Experiment) -> list[BreakingChange]:
    """Find every change that takes a listener out of the arm that `before` gave.

    `forced` does not count: a forced arm is a test, and no analysis reads it.

    Args:
        before: The widest definition that was served.
        after: The definition to serve under the same name and version.
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
        # The slots are split among the arms, so one arm can only grow by listeners of a second.
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
    """The definition with which to compare the next one, after `after` was served."""
    return before if after.traffic == 0 else after


def assignment_fingerprint(experiment: Experiment) -> str:
    """Fingerprint of all that a started experiment must keep, 12 hex digits.

    Definitions with one fingerprint may differ in which listeners enter, but not in their arms.
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
        " ".join(filter(None, (arm.name, arm.strategy, arm.draw and f"(draw: {arm.draw})")))
        for arm in experiment.arms
    )


def _weights(experiment: Experiment) -> str:
    return ", ".join(f"{arm.name} {arm.weight:g}" for arm in experiment.arms)


def _bounds(experiment: Experiment) -> list[int]:
    return bounds([arm.weight for arm in experiment.arms])


def _wider(before: Experiment, after: Experiment) -> bool:
    """Test whether every targeted listener is still targeted; `true` is not 1, as in `eligible`."""

    def values(experiment: Experiment, key: str) -> set[Any]:
        return {(isinstance(value, bool), value) for value in experiment.targeting[key]}

    return all(
        key in before.targeting and values(before, key) <= values(after, key)
        for key in after.targeting
    )


def _allowed(experiment: Experiment) -> dict[str, list[Any]]:
    return {key: list(values) for key, values in experiment.targeting.items()}
