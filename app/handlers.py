"""Our routes without a web framework: bytes and headers in, a reply out."""

import re
from collections.abc import Callable, Iterable, Mapping
from time import perf_counter
from typing import Any, TypeVar

from cachetools import TTLCache
from pydantic import TypeAdapter, ValidationError

from app.admin import Admin, requested_arms
from app.requests import MAX_BODY, BotifyListen, FeedbackRequest, RecommendRequest, field_of
from app.responses import (
    ApiError,
    HttpResponse,
    botify_next_response,
    feedback_response,
    recommend_response,
)
from engine.dispatcher import Dispatcher

Headers = Iterable[tuple[bytes, bytes]]
B = TypeVar("B", RecommendRequest, FeedbackRequest, BotifyListen)
Validate = Callable[[bytes], B]

# The validators inside the adapters: an adapter's own method costs a third of the validation.
_RECOMMEND: Validate[RecommendRequest] = TypeAdapter(RecommendRequest).validator.validate_json
_HEARD: Validate[FeedbackRequest] = TypeAdapter(FeedbackRequest).validator.validate_json
_PLAYED: Validate[BotifyListen] = TypeAdapter(BotifyListen).validator.validate_json
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})\Z")
MAX_KEY = 256
JSON = b"application/json"


class Handlers:
    """What the routes do, apart from HTTP itself.

    Args:
        dispatcher: Decides.
        keys: How many answers are kept for retried requests.
        keys_ttl_s: For how long, in seconds.
        timer: Seconds on a clock that never goes back.
        admin: Who may choose arms for testing.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        keys: int,
        keys_ttl_s: float,
        timer: Callable[[], float],
        admin: Admin,
    ) -> None:
        self.dispatcher = dispatcher
        self.admin = admin
        self._answered: TTLCache[tuple[str, str, str], tuple[bytes, HttpResponse]] = TTLCache(
            keys, keys_ttl_s, timer
        )

    def recommend(self, body: bytes, headers: Headers) -> HttpResponse:
        """`POST /recommend`."""
        arrived_s = perf_counter()
        key, force = _checked(body, headers)
        forced = None if force is None else self._forced(force, headers)
        ask = _validated(_RECOMMEND, body)
        if key is None:
            return recommend_response(self.dispatcher.recommend(ask, arrived_s, None, forced))
        return self._once(
            ("recommend", str(ask.user), key),
            body if force is None else body + force,
            lambda: recommend_response(self.dispatcher.recommend(ask, arrived_s, key, forced)),
        )

    def feedback(self, body: bytes, headers: Headers) -> HttpResponse:
        """`POST /feedback`."""
        arrived_s = perf_counter()
        key, force = _checked(body, headers)
        forced = None if force is None else self._forced(force, headers)
        heard = _validated(_HEARD, body)
        return self._once(
            ("feedback", str(heard.user), key),
            body if force is None else body + force,
            lambda: feedback_response(self.dispatcher.feedback(heard, arrived_s, key, forced)),
        )

    def next(self, user: str, body: bytes, headers: Headers) -> HttpResponse:
        """The predecessor's `POST /next/{user}`."""
        arrived_s = perf_counter()
        key, force = _checked(body, headers)
        forced = None if force is None else self._forced(force, headers)
        heard = _validated(_PLAYED, body)
        ask = RecommendRequest(user=_id(user), track=heard.track, time=heard.time)
        return self._once(
            ("next", user, key),
            body if force is None else body + force,
            lambda: botify_next_response(self.dispatcher.recommend(ask, arrived_s, key, forced)),
        )

    def last(self, user: str, body: bytes, headers: Headers) -> HttpResponse:
        """The predecessor's `POST /last/{user}`."""
        arrived_s = perf_counter()
        key, force = _checked(body, headers)
        forced = None if force is None else self._forced(force, headers)
        told = _validated(_PLAYED, body)
        heard = FeedbackRequest(user=_id(user), track=told.track, time=told.time, final=True)
        return self._once(
            ("last", user, key),
            body if force is None else body + force,
            lambda: feedback_response(self.dispatcher.feedback(heard, arrived_s, key, forced)),
        )

    def _forced(self, force: bytes, headers: Headers) -> Mapping[str, str]:
        """The arms that a tester with the token asks for."""
        self.admin.check(headers)
        return requested_arms(force, self.dispatcher.runtime.allocation)

    def _once(
        self, request: tuple[str, str, str | None], body: bytes, answer: Callable[[], HttpResponse]
    ) -> HttpResponse:
        """Answer, or give a retried request the answer that it got before."""
        route, user, key = request
        if key is None:
            return answer()
        kept = self._answered.get((route, user, key))
        if kept is not None:
            if kept[0] != body:
                raise ApiError(
                    422,
                    "idempotency_key_reused",
                    "this Idempotency-Key came with another body before; give every request "
                    "its own key",
                    "Idempotency-Key",
                )
            return kept[1]
        reply = answer()
        self._answered[(route, user, key)] = (body, reply)
        return reply


def _checked(body: bytes, headers: Headers) -> tuple[str | None, bytes | None]:
    """Refuse what is no JSON by its header or too long; give key and forced arms, if any."""
    key: str | None = None
    force: bytes | None = None
    for name, value in headers:
        if name == b"content-type":
            # As it mostly stands, before all the ways in which it may stand.
            if value != JSON and value.partition(b";")[0].strip().lower() != JSON:
                raise ApiError(
                    415,
                    "unsupported_media_type",
                    f"Content-Type must be application/json, got {value.decode('latin-1')!r:.80}",
                    "Content-Type",
                )
        elif name == b"idempotency-key":
            key = value.decode("latin-1")
            if not 0 < len(key) <= MAX_KEY:
                raise ApiError(
                    422,
                    "invalid",
                    f"must have 1 to {MAX_KEY} characters, has {len(key)}",
                    "Idempotency-Key",
                )
        elif name == b"segue-force":
            force = value
    if len(body) > MAX_BODY:
        raise too_large()
    return key, force


def too_large() -> ApiError:
    """The refusal of a body over the limit."""
    return ApiError(413, "too_large", f"the body must be at most {MAX_BODY} bytes")


def _validated(validate: Validate[B], body: bytes) -> B:
    try:
        return validate(body)
    except ValidationError as error:
        problems = error.errors(include_url=False)
        first = problems[0]
        if first["type"] == "json_invalid":
            raise ApiError(400, "invalid_json", f"the body must be JSON: {first['msg']}") from error
        field = field_of(first["loc"])
        messages = dict.fromkeys(
            _message(problem) for problem in problems if field_of(problem["loc"]) == field
        )
        raise ApiError(422, "invalid", "; or ".join(messages), field) from error


def _message(problem: Any) -> str:
    if problem["type"] == "unexpected_keyword_argument":
        return "unknown field"
    message: str = problem["msg"]
    return message.removeprefix("Value error, ")


def _id(path_part: str) -> int | str:
    """A listener id from a path: digits are a number there, as they were for the predecessor."""
    if _INTEGER.match(path_part):
        return int(path_part)
    if 0 < len(path_part) <= 256 and path_part == path_part.strip():
        return path_part
    raise ApiError(422, "invalid", "must have 1 to 256 characters, not padded", "user")
