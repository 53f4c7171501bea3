"""Bodies as bytes into the engine's input: validated in one pass, and looked at again where needed.

A key that stands twice in a JSON object has no one meaning: readers take its first value or its
last. The validator takes the last without a word. So a body whose bytes may hold a key twice is
parsed a second time. That is rare: each key needs a colon, and a body with as many colons as it has
fields has none twice.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields as fields_of
from typing import Any, TypeVar

import orjson
from pydantic import TypeAdapter, ValidationError

from app.errors import ApiError
from app.requests import (
    MAX_ATTRIBUTES,
    MAX_BODY,
    BotifyListen,
    FeedbackRequest,
    RecommendRequest,
    field_of,
)
from core.request import ListenReport, Request

B = TypeVar("B", RecommendRequest, FeedbackRequest, BotifyListen)
Validate = Callable[[bytes], B]

# The validators inside the adapters: an adapter's own method costs a third of the validation.
_RECOMMEND: Validate[RecommendRequest] = TypeAdapter(RecommendRequest).validator.validate_json
_FEEDBACK: Validate[FeedbackRequest] = TypeAdapter(FeedbackRequest).validator.validate_json
_LISTEN: Validate[BotifyListen] = TypeAdapter(BotifyListen).validator.validate_json
_KEYS = tuple(
    b'"%b"' % field.name.encode()
    for body in (RecommendRequest, FeedbackRequest)
    for field in fields_of(body)
)
_INTEGER = re.compile(r"-?(0|[1-9][0-9]{0,17})\Z")
SMALL = 1024
"""Bytes of a body that cannot hold enough faults to take long, whatever it says."""
_FEW_COLONS = 64
_FEW_COMMAS = 1_100
_MOST_ITEMS = 1_000
"""Items of arrays and objects beside `exclude`; a filter has the most, 512."""
_MOST_ERRORS = 10


def read_recommend(user: str, body: bytes) -> Request:
    """Read the body of `POST /recommend`."""
    sent = _validated(_RECOMMEND, body)
    colons = body.count(b":")
    # The two usual bodies first: the user alone, and with what was heard.
    if colons != 1 and (colons != 3 or sent.track is None):
        fields = 1 if sent.track is None else 3
        fields += (sent.n != 1) + (sent.exclude != ()) + sent.explain
        _check_once(body, colons, fields, sent.attributes, sent.filter)
    return sent


def read_feedback(user: str, body: bytes) -> ListenReport:
    """Read the body of `POST /feedback`."""
    sent = _validated(_FEEDBACK, body)
    colons = body.count(b":")
    if colons != 3:
        _check_once(body, colons, 3 + sent.final, sent.attributes)
    return sent


def read_botify_next(user: str, body: bytes) -> Request:
    """Read the path and the body of botify's `POST /next/{user}`."""
    listen = _read_listen(body)
    return Request(read_listener(user), listen.track, listen.time)


def read_botify_last(user: str, body: bytes) -> ListenReport:
    """Read the path and the body of botify's `POST /last/{user}`."""
    listen = _read_listen(body)
    return ListenReport(read_listener(user), listen.track, listen.time, final=True)


def _read_listen(body: bytes) -> BotifyListen:
    listen = _validated(_LISTEN, body)
    colons = body.count(b":")
    if colons != 2:
        _check_once(body, colons, 2)
    return listen


def check_size(body: bytes) -> None:
    """Refuse a body over the limit, or one so wide that listing its faults would take long.

    Raises:
        ApiError: The body is faulty.
    """
    if len(body) > MAX_BODY:
        raise too_large()
    if body.count(b":") > _FEW_COLONS or body.count(b",") > _FEW_COMMAS:
        _check_width(body)


def too_large() -> ApiError:
    """Refuse a body over the limit."""
    return ApiError(413, "too_large", f"the body must be at most {MAX_BODY} bytes")


def _check_width(body: bytes) -> None:
    """Refuse a body with far more keys or items than a request has, or with a key twice."""
    try:
        parsed = json.loads(body, object_pairs_hook=_narrow, strict=False)
        excluded = parsed.get("exclude") if isinstance(parsed, dict) else None
        items = _items_in(parsed) - (len(excluded) if isinstance(excluded, list) else 0)
    except (ValueError, RecursionError):
        return  # no JSON; the validator says where
    if items > _MOST_ITEMS:
        raise _invalid(
            f"must have at most {_MOST_ITEMS:,} items beside those of exclude, got {items:,}", None
        )


def _items_in(value: Any) -> int:
    """Count the items of all arrays and objects in a JSON value."""
    if isinstance(value, dict):
        return len(value) + sum(map(_items_in, value.values()))
    return len(value) + sum(map(_items_in, value)) if isinstance(value, list) else 0


def _narrow(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_ATTRIBUTES:  # more than the fields of any body
        raise _invalid(
            f"an object must have at most {MAX_ATTRIBUTES} keys, got {len(pairs):,}", None
        )
    return _once(pairs)


def _check_once(body: bytes, colons: int, fields: int, *objects: Mapping[str, Any] | None) -> None:
    """Refuse a valid body in which a key stands twice.

    Args:
        body: The body.
        colons: Number of colons in it.
        fields: Number of fields beside the objects that are not at their default; the body has at
            least as many.
        objects: Its fields that are objects; None for one that it does not have.

    Raises:
        ApiError: A key stands twice.
    """
    inner = [key for each in objects if each is not None for key in (None, *_keys_in(each))]
    if colons == fields + len(inner):
        return
    spelled = (*_KEYS, *(orjson.dumps(key) for key in inner if key is not None))
    # A backslash may spell a key in a second way.
    if b"\\" in body or any(body.count(key) > 1 for key in spelled):
        json.loads(body, object_pairs_hook=_once, strict=False)


def _keys_in(found: Mapping[str, Any]) -> Iterator[str]:
    """List the keys of an object, and of the objects in it."""
    for key, value in found.items():
        yield key
        if isinstance(value, Mapping):
            yield from _keys_in(value)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise _invalid(f"the key {key!r:.80} stands twice in the body; send it once", key)
        found[key] = value
    return found


def _validated(validate: Validate[B], body: bytes) -> B:
    try:
        return validate(body)
    except ValidationError as error:
        if error.error_count() > _MOST_ERRORS:
            _check_width(body)
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        first = problems[0]
        if first["type"] == "json_invalid":
            raise ApiError(400, "invalid_json", f"the body must be JSON: {first['msg']}") from error
        field = field_of(first["loc"])
        messages = dict.fromkeys(
            _message(problem) for problem in problems if field_of(problem["loc"]) == field
        )
        raise _invalid("; or ".join(messages), field) from error


def _message(problem: Any) -> str:
    if problem["type"] == "unexpected_keyword_argument":
        return "unknown field"
    message: str = problem["msg"]
    return message.removeprefix("Value error, ")


def read_listener(path_part: str) -> int | str:
    """Read a listener id from a path; digits are a number, as in botify."""
    if _INTEGER.match(path_part):
        return int(path_part)
    if "\ufffd" in path_part:  # what servers put in the place of bytes that are no UTF-8
        raise _invalid(f"must be UTF-8, percent-encoded, got {path_part!r:.80}", "user")
    if 0 < len(path_part) <= 256 and path_part == path_part.strip():
        return path_part
    raise _invalid(
        "must have 1 to 256 characters, and must not begin or end with white space, got "
        f"{path_part!r:.80}",
        "user",
    )


def _invalid(message: str, field: str | None) -> ApiError:
    return ApiError(422, "invalid", message, field and field[:128])
