"""Decision and feedback: what happened at a turn. The response and the event are made from them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.allocation import Assignment
from core.catalog import TrackId
from core.track_fields import Where


@dataclass(slots=True)
class Turn:
    """A listener's input, and its place in the listener's history.

    No code changes one; it is not frozen for speed.

    Attributes:
        id: Unique; seeds the draw, so the decision can be replayed from it.
        user: Listener id as the client sent it.
        track: Previous track as the client sent it; None on a first visit.
        time: Share of it that was heard, in [0, 1]; None on a first visit.
        at_ms: Unix time in ms.
        session: Id of the turn's session, which is the id of the session's first turn.
        number: Number of this turn among the listener's turns, from 1.
        assignment: The listener's arms, computed once.
        config: Digest of the config that decided.
        latency_s: From the request's arrival until its batch was decided, in seconds.
        attributes: The request's attributes.
        key: The request's idempotency key, which then seeds the draw in place of `id`.
        reset: Whether the listener's history was emptied for a new experiment.
        degraded: Whether the shared state was away, and the turn was decided from the request
            alone; such a turn has no session and no number.
    """

    id: str
    user: TrackId
    track: TrackId | None
    time: float | None
    at_ms: int
    session: str
    number: int
    assignment: Assignment
    config: str
    latency_s: float = 0.0
    attributes: Mapping[str, Any] | None = None
    key: str | None = None
    reset: bool = False
    degraded: bool = False


@dataclass(slots=True)
class Decision(Turn):
    """A turn that was answered with a track.

    Attributes:
        tracks: Track ids drawn, in order; the first is the recommendation.
        strategy: Name of the strategy that the arm, or `default`, names.
        answered_by: Name of the strategy whose candidates were drawn from.
        depth: Number of strategies of the chain that abstained before.
        candidates: Number of candidates.
        propensity: Propensity of the first track, in (0, 1].
        n: Number of tracks that the request wants.
        exclude: Track ids that the request excluded.
        failed: Members of the chain that raised, as {"strategy", "error"}: name and error class.
        took_us: Time to propose and draw, without the turns of the same batch, in us.
        filter: Conditions on the fields of tracks that the request has.
        why: Reasons, in the order noted; None unless the request has `explain`.
    """

    tracks: Sequence[TrackId] = ()
    strategy: str = ""
    answered_by: str = ""
    depth: int = 0
    candidates: int = 0
    propensity: float = 1.0
    n: int = 1
    exclude: Sequence[TrackId] = ()
    why: Sequence[str] | None = None
    failed: Sequence[Mapping[str, str]] = ()
    took_us: float = 0.0
    filter: Where | None = None


@dataclass(slots=True)
class Feedback(Turn):
    """A turn without an answer: the listener reported a listen.

    Attributes:
        final: Whether it ended the session.
    """

    final: bool = False


@dataclass(slots=True)
class FailedTurn(Turn):
    """A turn that got no answer, because strategies failed. It changed no state.

    Attributes:
        strategy: Strategy that the arm, or `default`, names.
        failed: Members of the chain that raised, as {"strategy", "error"}: name and error class.
    """

    strategy: str = ""
    failed: Sequence[Mapping[str, str]] = ()


@dataclass(slots=True)
class Forgotten(Turn):
    """A listener whose history somebody had deleted; no turn of the listener's own."""


LoggedTurn = Decision | Feedback | FailedTurn | Forgotten
"""A turn that has a line in the event log."""
