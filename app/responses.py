"""Answers as bytes: a decision as a client sees it, and the one shape of every error."""

from dataclasses import dataclass
from typing import Any

import orjson

from core.decision import Decision, Feedback

NO_SNIFF = (b"x-content-type-options", b"nosniff")
"""Header of every answer: a browser must not guess a type that we do not say."""


@dataclass(slots=True)
class HttpResponse:
    """An HTTP answer; not frozen, for speed alone.

    Attributes:
        status: HTTP status code.
        body: JSON.
        headers: Headers beside type and length: (lower-case name, value).
    """

    status: int
    body: bytes
    headers: tuple[tuple[bytes, bytes], ...] = ()


def error_body(code: str, message: str, field: str | None = None) -> bytes:
    """Give every error its one shape."""
    return orjson.dumps({"error": {"code": code, "message": message, "field": field}})


def recommend_body(decision: Decision) -> bytes:
    """Answer `POST /recommend`."""
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
    if decision.degraded:
        body["degraded"] = True
    return orjson.dumps(body)


def feedback_body(feedback: Feedback) -> bytes:
    """Answer `POST /feedback`, and the botify clients' `POST /last/{user}`."""
    if feedback.degraded:
        return orjson.dumps({"user": feedback.user, "degraded": True})
    return orjson.dumps({"user": feedback.user})


def botify_next_body(decision: Decision) -> bytes:
    """Answer the botify clients' `POST /next/{user}`."""
    body = {"user": decision.user, "track": decision.tracks[0]}
    if decision.degraded:
        body["degraded"] = True
    return orjson.dumps(body)
