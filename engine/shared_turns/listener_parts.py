"""The part of a turn that depends on the listener's id alone, kept between turns."""

from collections.abc import Callable
from typing import NamedTuple

from core.allocation import Assignment
from engine.arrivals import Arrival
from engine.runtime import Runtime
from engine.shared_state.keys import record_key
from engine.shared_state.record_format import lineages_of

MOST_KNOWN = 50_000
"""Listeners whose arms are kept: computing them costs as much as the trip to Redis."""


class ListenerPart(NamedTuple):
    """A listener's part of a turn.

    Attributes:
        key: Key of the record.
        assignment: The listener's arms.
        lineages: The experiments that the listener is in.
    """

    key: bytes
    assignment: Assignment
    lineages: bytes


class ListenerParts:
    """The parts of the listeners who came lately, under one runtime.

    Args:
        runtime: The runtime.
        prefix: First part of each key on Redis.
        assigned: Computes the arms of a turn.
    """

    def __init__(
        self, runtime: Runtime, prefix: str, assigned: Callable[[Arrival], Assignment]
    ) -> None:
        self._fingerprints = runtime.fingerprints
        self._prefix = prefix
        self._assigned = assigned
        self._known: dict[str, ListenerPart] = {}

    def of(self, arrival: Arrival, user: str) -> ListenerPart:
        """Give the part of a listener; arms that are forced or targeted hold for one turn alone."""
        by_id = arrival.forced is None and arrival.sent.attributes is None
        if by_id and user in self._known:
            return self._known[user]
        found = self._compute(arrival, user)
        if by_id:
            self._keep(user, found)
        return found

    def _compute(self, arrival: Arrival, user: str) -> ListenerPart:
        assignment = self._assigned(arrival)
        lineages = b""
        if assignment.arms and not assignment.left_out:
            lineages = lineages_of(self._fingerprints[name] for name in assignment.arms)
        return ListenerPart(record_key(self._prefix, user), assignment, lineages)

    def _keep(self, user: str, part: ListenerPart) -> None:
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        self._known[user] = part
