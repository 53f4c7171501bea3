"""The server's answers as values; keys that a newer server adds are left out."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.catalog import TrackId


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The track to play next, and the strategy that chose it.

    Attributes:
        user: The listener, as the request named them.
        track: The track to play next: the first of `tracks`.
        tracks: The recommended tracks: `n` of them, or fewer if the strategy proposed fewer.
        decision: The decision's id in the event log.
        experiments: The listener's arm in each experiment.
        strategy: The strategy that the arm, or the default, names.
        answered_by: The strategy that proposed the track.
        why: The reasons: each strategy that abstained or proposed, and why; empty without
            `explain`.
    """

    user: TrackId
    track: TrackId
    tracks: tuple[TrackId, ...]
    decision: str
    experiments: Mapping[str, str]
    strategy: str
    answered_by: str
    why: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Track:
    """A track of the server's catalog."""

    track: TrackId
    artist: str
    title: str


@dataclass(frozen=True, slots=True)
class Readiness:
    """The server's readiness to take turns.

    Attributes:
        ready: True if it does.
        config: Fingerprint of the config that decides; empty if it takes no turns.
        reason: Why it takes none; empty if it does.
        warnings: Problems with which it still takes turns, a sentence each.
    """

    ready: bool
    config: str = ""
    reason: str = ""
    warnings: tuple[str, ...] = ()


def read_recommendation(body: Any) -> Recommendation:
    """Read the answer of `POST /recommend`."""
    return Recommendation(
        user=body["user"],
        track=body["track"],
        tracks=tuple(body["tracks"]),
        decision=body["decision"],
        experiments=dict(body["experiments"]),
        strategy=body["strategy"],
        answered_by=body["answered_by"],
        why=tuple(body.get("why", ())),
    )


def read_feedback(body: Any) -> None:
    """Check the answer of `POST /feedback`, which only confirms the listener."""
    body["user"]


def read_track(body: Any) -> Track:
    """Read the answer of `GET /tracks/{id}`."""
    return Track(body["track"], body["artist"], body["title"])


def read_experiments(body: Any) -> dict[str, Any]:
    """Read the answer of `GET /experiments`, as JSON."""
    return dict(body)


def read_readiness(body: Any) -> Readiness:
    """Read the answer of `GET /readyz`."""
    warnings = tuple(each["message"] for each in body.get("warnings", ()))
    return Readiness(True, body["config"], warnings=warnings)
