"""What a client sends for one turn: a request for a track, or a report of what was heard.

The values that the engine decides on. HTTP bodies are validated into subclasses of them (see
`app.requests`), a log's events and a simulation's sessions are made into them as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from core.catalog import TrackId


@dataclass(slots=True)
class TurnInput:
    """What every turn begins with: who it is, and what they heard.

    Not frozen, for speed alone; nobody changes one.

    Attributes:
        user: Listener id.
        track: Track that the listener heard before; None on a first visit.
        time: Share of it that was heard, in [0, 1]; None on a first visit.
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
        n: How many tracks are wanted, at least 1.
        exclude: Track ids that must not be recommended.
        explain: Whether the decision gives its reasons.
    """

    n: int = 1
    exclude: Sequence[TrackId] = ()
    explain: bool = False


@dataclass(slots=True)
class ListenReport(TurnInput):
    """A report of what was heard, with no request for a further track.

    Attributes:
        final: Whether it ends the session.
    """

    final: bool = False
