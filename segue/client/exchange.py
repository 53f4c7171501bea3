"""The conversation with a server, without the network: both clients only carry out its steps.

Each method of `Exchanges` is a generator. It yields what to do next, a request to send or a pause
to make, and receives the outcome; its return value is the result of the client's method.
"""

import json
import random
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, TypeAlias, TypeVar
from urllib.parse import quote

import httpx

from core.catalog import TrackId
from segue.client.answers import (
    Readiness,
    Recommendation,
    Track,
    read_experiments,
    read_feedback,
    read_readiness,
    read_recommendation,
    read_track,
)
from segue.client.errors import ApiError, ServerUnreachable, UnexpectedAnswer
from segue.client.retries import DEFAULT, PASSING, Retries, retry_after_s

Scalar: TypeAlias = bool | int | float | str
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Send:
    """Send this request, and hand back the response or the transport's error.

    Attributes:
        method: HTTP method.
        path: Path under the server's address.
        content: JSON, the same bytes at every attempt, since the server compares them.
        headers: Headers of this request.
        repeatable: Whether a second arrival changes nothing: it reads, or it carries a key.
    """

    method: str
    path: str
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait for so many seconds."""

    seconds: float


Outcome: TypeAlias = httpx.Response | httpx.TransportError | None
Steps: TypeAlias = Generator[Send | Pause, Outcome, T]


def _new_key() -> str:
    return uuid.uuid4().hex


def own_headers(headers: Mapping[str, str] | None, key: str | None) -> dict[str, str]:
    """Return the headers that every request of a client carries."""
    return {**(headers or {}), **({} if key is None else {"Segue-Key": key})}


@dataclass(frozen=True, slots=True)
class Exchanges:
    """Every exchange that the API offers.

    Attributes:
        url: The server's address, for messages.
        retries: When a failed request is sent again.
        new_key: Makes an idempotency key.
        draw: Gives a random number in [0, 1), for the pauses.
    """

    url: str
    retries: Retries = DEFAULT
    new_key: Callable[[], str] = _new_key
    draw: Callable[[], float] = random.random

    def recommend(
        self,
        user: TrackId,
        track: TrackId | None,
        time: float | None,
        n: int,
        exclude: Sequence[TrackId],
        attributes: Mapping[str, Scalar] | None,
        explain: bool,
        conditions: Mapping[str, Any] | None,
        key: str | None,
    ) -> Steps[Recommendation]:
        """`POST /recommend`."""
        body: dict[str, Any] = {"user": user}
        if track is not None or time is not None:
            body |= {"track": track, "time": time}
        if n != 1:
            body["n"] = n
        if exclude:
            body["exclude"] = list(exclude)
        if attributes:
            body["attributes"] = dict(attributes)
        if explain:
            body["explain"] = True
        if conditions:
            body["filter"] = dict(conditions)
        return self._exchange(self._turn("/recommend", body, key), read_recommendation)

    def feedback(
        self,
        user: TrackId,
        track: TrackId,
        time: float,
        final: bool,
        attributes: Mapping[str, Scalar] | None,
        key: str | None,
    ) -> Steps[None]:
        """`POST /feedback`."""
        body: dict[str, Any] = {"user": user, "track": track, "time": time}
        if final:
            body["final"] = True
        if attributes:
            body["attributes"] = dict(attributes)
        return self._exchange(self._turn("/feedback", body, key), read_feedback)

    def track(self, track: TrackId) -> Steps[Track]:
        """`GET /tracks/{id}`."""
        return self._exchange(Send("GET", f"/tracks/{quote(str(track), safe='')}"), read_track)

    def experiments(self) -> Steps[dict[str, Any]]:
        """`GET /experiments`."""
        return self._exchange(Send("GET", "/experiments"), read_experiments)

    def ready(self) -> Steps[Readiness]:
        """`GET /readyz`, once: that the server is not ready is an answer too."""
        try:
            return (
                yield from self._exchange(Send("GET", "/readyz", repeatable=False), read_readiness)
            )
        except ApiError as error:
            if error.status != 503:
                raise
            return Readiness(False, reason=error.message)

    def _turn(self, path: str, body: dict[str, Any], key: str | None) -> Send:
        content = json.dumps(body, allow_nan=False, separators=(",", ":")).encode()
        headers = {
            "Content-Type": "application/json",
            "Idempotency-Key": self.new_key() if key is None else key,
        }
        return Send("POST", path, content, headers)

    def _exchange(self, request: Send, read: Callable[[Any], T]) -> Steps[T]:
        """Send a request until it is answered, refused, or out of attempts."""
        for attempt in count(1):
            outcome = yield request
            if isinstance(outcome, httpx.Response) and outcome.is_success:
                return self._result(request, outcome, read)
            error = self._failure(request, outcome, attempt)
            pause_s = None
            if request.repeatable and _may_pass(outcome):
                asked_s = error.retry_after_s if isinstance(error, ApiError) else None
                pause_s = self.retries.pause_s(attempt, asked_s, self.draw)
            if pause_s is None:
                raise error
            yield Pause(pause_s)
        raise AssertionError("attempts never run out of numbers")

    def _result(self, request: Send, response: httpx.Response, read: Callable[[Any], T]) -> T:
        try:
            return read(json.loads(response.content))
        except (ValueError, TypeError, KeyError) as error:
            raise UnexpectedAnswer(str(request), self.url, response.text) from error

    def _failure(
        self, request: Send, outcome: Outcome, attempts: int
    ) -> ApiError | ServerUnreachable:
        if not isinstance(outcome, httpx.Response):
            reason = f"{type(outcome).__name__}: {outcome}".removesuffix(": ")
            error = ServerUnreachable(str(request), self.url, reason, attempts)
            error.__cause__ = outcome
            return error
        code, message, at = _error_of(outcome)
        asked_s = retry_after_s(outcome.headers.get("Retry-After"))
        return ApiError(str(request), outcome.status_code, code, message, at, asked_s, attempts)


def _may_pass(outcome: Outcome) -> bool:
    """Test whether the next attempt may succeed; an unsupported address never does."""
    if isinstance(outcome, httpx.Response):
        return outcome.status_code in PASSING
    return not isinstance(outcome, httpx.UnsupportedProtocol)


def _error_of(response: httpx.Response) -> tuple[str, str, str | None]:
    """Code, message and field of an error; an answer that is not Segue's own gets a code too."""
    try:
        error = json.loads(response.content)["error"]
        return str(error["code"]), str(error["message"]), error.get("field")
    except (ValueError, TypeError, KeyError):
        shown = response.text.strip()[:200] or response.reason_phrase
        return f"http_{response.status_code}", shown, None
