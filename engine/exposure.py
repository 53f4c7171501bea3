"""Exposure: a listener's arms, and the experiments that their history grew under.

This module alone computes the arms of a turn.
"""

from collections.abc import Mapping
from dataclasses import replace

from core.allocation import Assignment
from core.request import TurnInput
from engine.runtime import Runtime
from engine.state import ListenerRecord


def assign(
    runtime: Runtime,
    sent: TurnInput,
    forced: Mapping[str, str] | None = None,
    seat: bool = False,
) -> Assignment:
    """Compute the arms of a turn.

    Args:
        runtime: The runtime that decides.
        sent: The client's request or report.
        forced: Experiment -> arm that an authorised tester requests.
        seat: Whether a person on the board takes the turn.
    """
    found = runtime.allocation.assign(str(sent.user), sent.attributes, forced)
    return replace(found, seat=True) if seat else found


def newly_exposed(runtime: Runtime, record: ListenerRecord, assignment: Assignment) -> bool:
    """Test whether the listener is in an experiment that their history did not grow under yet.

    A tester with a forced arm is exposed to nothing, nor is a person on the board.
    """
    fingerprints, exposed = runtime.fingerprints, record.exposed_experiments
    for name in assignment.arms:  # a loop, faster than any(): it runs at every turn
        if fingerprints[name] not in exposed:
            return not assignment.left_out
    return False


def exposed_after(
    runtime: Runtime, record: ListenerRecord, assignment: Assignment
) -> frozenset[str]:
    """Give the experiments that the history grows under from now on, by fingerprint."""
    fingerprints = runtime.fingerprints
    return record.exposed_experiments.union(fingerprints[name] for name in assignment.arms)


def starts_afresh(runtime: Runtime, record: ListenerRecord) -> bool:
    """Test whether the server forgets a newly exposed history that is not fresh already."""
    return record.history.turn > 0 and runtime.settings.state.reset_state_on_new_experiment
