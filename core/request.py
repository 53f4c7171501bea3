"""A client's input for one turn: a request for a track, or a report of a listen.

The engine decides on these values. `app.requests` validates HTTP bodies into subclasses of them;
replay and the simulator make them directly.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.catalog import TrackId
from core.track_fields import Where


@dataclass(slots=True)
class TurnInput:
    """The input that every turn has: the listener, and the track that they heard.

    Not frozen, for speed alone; no code changes one.

    Attributes:
        user: Listener id.
        track: Track that the listener heard; None on a first visit.
        time: Share of the track that was heard, in [0, 1]; None on a first visit.
        attributes: Facts about the request, for targeting and segments.
    """

    user: TrackId
    track: TrackId | None = None
    time: float | None = None
    attributes: Mapping[str, Any] | None = None


@dataclass(slots=True)
class Request(TurnInput):
    """A request for the next track.

    Attributes:
        n: Number of tracks wanted, at least 1.
        exclude: Track ids that must not be recommended.
        explain: Whether the decision gives its reasons.
        filter: Conditions on the fields of tracks, for strategies with `request: true`.
    """

    n: int = 1
    exclude: Sequence[TrackId] = ()
    explain: bool = False
    filter: Where | None = None


@dataclass(slots=True)
class ListenReport(TurnInput):
    """A report of a listen, without a request for the next track.

    Attributes:
        final: Whether the report ends the session.
    """

    final: bool = False
