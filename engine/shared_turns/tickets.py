"""A turn under way over shared state, from its arrival to its outcome."""

from collections.abc import Callable
from typing import NamedTuple

from core.allocation import Assignment
from core.decision import FailedTurn, LoggedTurn
from engine.arrivals import Arrival, Outcome
from engine.runtime import Runtime
from engine.shared_state.record_format import TakenTurn
from engine.shared_state.store import TurnLimits

Give = Callable[[int, Outcome], bytes | None]
"""Takes an arrival's place in its batch, and its outcome; returns the answer that its key keeps."""
DIGEST = 16
"""Bytes of the digest of a body that came with an idempotency key."""


class Ticket:
    """One turn under way.

    Attributes:
        arrival: The request.
        place: Its place in its batch.
        give: Takes the outcome.
        user: The listener's id.
        keys: Keys on Redis: the record's, and the answer's.
        digest: Of the body, with an idempotency key.
        runtime: The runtime that decides.
        limits: What that runtime says about each turn on Redis.
        assignment: The listener's arms.
        lineages: The experiments that the listener is in.
        number: Number of its line; 0 if it has none.
        id: The turn's id.
        at_ms: Unix time in ms.
        tries: Number of times that it was sent.
        given: Whether it has its outcome.
        kept: The answer that its key gets, once it is written.
    """

    __slots__ = (
        "arrival",
        "assignment",
        "at_ms",
        "digest",
        "give",
        "given",
        "id",
        "kept",
        "keys",
        "limits",
        "lineages",
        "number",
        "place",
        "runtime",
        "tries",
        "user",
    )  # fmt: skip

    def __init__(self, arrival: Arrival, place: int, give: Give, user: str) -> None:
        self.arrival = arrival
        self.place = place
        self.give = give
        self.user = user
        self.tries = 0
        self.given = False
        self.kept: bytes | None = None
        self.digest: bytes | None = None
        self.number = 0
        self.id = ""
        self.at_ms = 0
        self.keys: tuple[bytes, ...] = ()
        self.runtime: Runtime
        self.limits: TurnLimits
        self.assignment: Assignment
        self.lineages = b""


class Staged(NamedTuple):
    """A turn that is decided and not on file yet.

    Attributes:
        ticket: Its ticket.
        turn: The turn.
        taken: The turn as Redis took it; None if it was decided without state.
        failure: The error that answers it, if no strategy did.
    """

    ticket: Ticket
    turn: LoggedTurn
    taken: TakenTurn | None
    failure: Exception | None

    def outcome(self) -> Outcome:
        """Give the turn, once it is on file, as its outcome; a failed one has its error."""
        if isinstance(self.turn, FailedTurn):
            assert self.failure is not None
            return self.failure
        return self.turn
