"""The seat: a person on the board is a listener, and sees what each arm would play next.

A turn of a seat is a real turn: it grows the listener's history, and its line has `seat: true`, so
that no analysis counts it. A comparison only proposes.
"""

import time
from collections.abc import Iterable
from typing import Any

from pydantic import ConfigDict, StrictBool, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from app.errors import ApiError
from app.handlers import BaseHandlers
from app.headers import checked
from app.requests import Facts, Id, Time, field_of
from core.catalog import Catalog, TrackId
from core.decision import Decision, Feedback
from core.request import ListenReport, Request
from engine.comparison import ArmProposal, compare_arms

Headers = Iterable[tuple[bytes, bytes]]
Found = dict[str, Any]


@dataclass(slots=True, config=ConfigDict(extra="forbid", allow_inf_nan=False))
class SeatRequest:
    """Body of `POST /board/api/seat` and `POST /board/api/seat/compare`.

    Attributes:
        listener: The listener; an id that the server does not know begins a new one.
        track: The track that they heard; leave it out on a first visit.
        time: Share of the track that was heard, in [0, 1]; must come with `track`.
        end: Whether the session is over; needs `track`.
        attributes: Facts about the request, for targeting.
    """

    listener: Id
    track: Id | None = None
    time: Time | None = None
    end: StrictBool = False
    attributes: Facts | None = None

    def __post_init__(self) -> None:
        if (self.track is None) != (self.time is None):
            raise ValueError(
                "track and time must come together: the track that was heard, and its share heard"
            )
        if self.end and self.track is None:
            raise ValueError("end must come with the last track, and the share heard of it")


_BODY = TypeAdapter(SeatRequest)


def read_seat(body: bytes, headers: Headers) -> SeatRequest:
    """Read a body.

    Raises:
        ApiError: It is no JSON, or faulty.
    """
    checked(body, headers)
    try:
        return _BODY.validate_json(body)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise ApiError(422, "invalid", first["msg"], field_of(first["loc"])) from error


async def take_turn(handlers: BaseHandlers, sent: SeatRequest) -> Found:
    """Take a turn of a seat, and describe it.

    Raises:
        Exception: The turn was not taken.
    """
    if sent.end:
        assert sent.track is not None
        report = ListenReport(sent.listener, sent.track, sent.time, sent.attributes, final=True)
        turn: Decision | Feedback = await handlers.take_seat(report)
    else:
        turn = await handlers.take_seat(
            Request(sent.listener, sent.track, sent.time, sent.attributes, explain=True)
        )
    found: Found = {
        "listener": sent.listener,
        "turn": turn.number or None,
        "session": turn.session or None,
        "decision": turn.id or None,
        "experiments": dict(turn.assignment.arms),
        "config": turn.config,
        "degraded": turn.degraded,
        "track": None,
    }
    if isinstance(turn, Decision):
        catalog = handlers.dispatcher.runtime.catalog
        found |= {
            "track": _label(catalog, turn.tracks[0]),
            "strategy": turn.strategy,
            "answered_by": turn.answered_by,
            "depth": turn.depth,
            "candidates": turn.candidates,
            "propensity": turn.propensity,
            "took_us": turn.took_us,
            "why": list(turn.why or ()),
        }
    return found


async def compare(handlers: BaseHandlers, sent: SeatRequest) -> Found:
    """Describe what each arm would play next; change and log nothing.

    Raises:
        StateUnavailable: The shared state cannot be reached.
    """
    history = await handlers.history_of(sent.listener)
    runtime = handlers.dispatcher.runtime
    request = Request(sent.listener, sent.track, sent.time, sent.attributes)
    own = handlers.dispatcher.arms_of(request)
    proposals = compare_arms(runtime, history, request, own, time.time_ns() // 1_000_000)
    return {
        "listener": sent.listener,
        "config": runtime.digest,
        "arms": [_described(each, runtime.catalog) for each in proposals],
    }


def _described(proposal: ArmProposal, catalog: Catalog) -> Found:
    return {
        "experiment": proposal.experiment,
        "arm": proposal.arm,
        "strategy": proposal.strategy,
        "own": proposal.own,
        "answered_by": proposal.answered_by,
        "depth": proposal.depth,
        "candidates": proposal.candidates,
        "first": [{**_label(catalog, track), "chance": chance} for track, chance in proposal.first],
        "why": list(proposal.why),
        "problem": proposal.problem,
    }


def _label(catalog: Catalog, track: TrackId) -> Found:
    index = catalog.index_of(track)
    if index < 0:  # of a config that served when the turn was decided
        return {"track": track, "artist": "", "title": ""}
    return catalog.describe(index)
