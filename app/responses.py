"""Answers as bytes: what a decision looks like to a client, and the one shape of every error."""

from dataclasses import dataclass
from typing import Any

import orjson

from core.decision import Decision, Feedback


@dataclass(slots=True)
class HttpResponse:
    """An HTTP answer; not frozen, for speed alone.

    Attributes:
        status: HTTP status code.
        body: JSON.
        headers: More headers than type and length.
    """

    status: int
    body: bytes
    headers: tuple[tuple[str, str], ...] = ()


class ApiError(Exception):
    """A request that is answered with an error and changes nothing."""

    def __init__(self, status: int, code: str, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.field = field

    def reply(self) -> HttpResponse:
        """The error as an answer."""
        headers = (("WWW-Authenticate", "Bearer"),) if self.status == 401 else ()
        return HttpResponse(self.status, error_body(self.code, self.message, self.field), headers)


def error_body(code: str, message: str, field: str | None = None) -> bytes:
    """The one shape of every error."""
    return orjson.dumps({"error": {"code": code, "message": message, "field": field}})


def recommend_response(decision: Decision) -> HttpResponse:
    """The answer of `POST /recommend`."""
    body: dict[str, Any] = {
        "user": decision.user,
        "track": decision.tracks[0],
        "tracks": decision.tracks,
        "decision": decision.id,
        "experiments": decision.assignment.arms,
        "strategy": decision.strategy,
        "answered_by": decision.answered_by,
    }
    if decision.why is not None:
        body["why"] = decision.why
    return HttpResponse(200, orjson.dumps(body))


def feedback_response(turn: Feedback) -> HttpResponse:
    """The answer of `POST /feedback`, and of the predecessor's `POST /last/{user}`."""
    return HttpResponse(200, orjson.dumps({"user": turn.user}))


def botify_next_response(decision: Decision) -> HttpResponse:
    """The answer of the predecessor's `POST /next/{user}`."""
    return HttpResponse(200, orjson.dumps({"user": decision.user, "track": decision.tracks[0]}))
