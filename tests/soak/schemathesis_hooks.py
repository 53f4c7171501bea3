"""The demands of our requests that their JSON Schema does not express, for schemathesis.

The descriptions in OpenAPI say each of them in words. A value that its schema refuses stays as it
is: schemathesis then expects a refusal.
"""

from itertools import count
from typing import Any
from urllib.parse import quote, unquote

import schemathesis
from pydantic import TypeAdapter, ValidationError

from app.requests import RecommendRequest

KNOWN_TRACK = "1000"
_numbers = count()


@schemathesis.hook
def map_headers(context: Any, headers: Any) -> Any:
    """Give each request a key of its own."""
    key = (headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and 0 < len(key) < 200:
        headers["Idempotency-Key"] = f"{key}-{next(_numbers)}"
    return headers


@schemathesis.hook
def map_path_parameters(context: Any, path_parameters: Any) -> Any:
    """Ask for a track of the catalog now and then, and for listeners without white space around."""
    if path_parameters and "track" in path_parameters and next(_numbers) % 3 == 0:
        path_parameters["track"] = KNOWN_TRACK
    if path_parameters and isinstance(path_parameters.get("user"), str):
        path_parameters["user"] = quote(_id(unquote(path_parameters["user"])), safe="")
    return path_parameters


@schemathesis.hook
def map_body(context: Any, body: Any) -> Any:
    """Send track and time together, and ids as we take them."""
    if not isinstance(body, dict):
        return body
    if body.get("track") is None or body.get("time") is None:
        body = {name: value for name, value in body.items() if name not in ("track", "time")}
    if "filter" in body and _is_valid(body["filter"]):  # and the config has no use for it
        body = {name: value for name, value in body.items() if name != "filter"}
    return {name: _id(value) if name in _IDS else value for name, value in body.items()}


_FILTERS = TypeAdapter(RecommendRequest)
_IDS = ("user", "track", "n", "exclude")


def _id(value: Any) -> Any:
    """Write 7.0 as 7, since the first is an integer to JSON Schema only; cut white space around."""
    if isinstance(value, list):
        return [_id(each) for each in value]
    if isinstance(value, str):
        return value.strip() or "x" if 0 < len(value) <= 256 else value
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _is_valid(conditions: Any) -> bool:
    try:
        _FILTERS.validate_python({"user": 7, "filter": conditions})
    except ValidationError:
        return False
    return True
