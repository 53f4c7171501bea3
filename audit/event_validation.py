"""Validation of a line for replay: a missing field, or one that no client could have sent."""

from collections.abc import Callable, Mapping
from typing import Any

from events.line_validation import LATEST_MS

MESSAGES = ("next", "heard", "last")


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 1


def _is_text(value: Any) -> bool:
    return type(value) is str and value != ""


def _is_id(value: Any) -> bool:
    return type(value) is int or type(value) is str


def _is_share(value: Any) -> bool:
    return value is None or (type(value) in (int, float) and 0 <= value <= 1)


def _is_time(value: Any) -> bool:
    return type(value) is int and 0 <= value <= LATEST_MS


def _is_mapping(value: Any) -> bool:
    return type(value) is dict


def _is_number(value: Any) -> bool:
    return type(value) in (int, float)


Need = tuple[str, Callable[[Any], bool], str]
EVERY_LINE: tuple[Need, ...] = (
    ("user", _is_id, "an id, text or a whole number"),
    ("decision", _is_text, "an id"),
    ("session", _is_text, "an id"),
    ("turn", _is_count, "a whole number from 1"),
    ("timestamp", _is_time, "Unix time in ms"),
    ("config", _is_text, "the digest of a config"),
    ("experiments", _is_mapping, "experiment -> arm"),
    ("forced", lambda value: type(value) is bool, "true or false"),
    ("time", _is_share, "a share in [0, 1], or null"),
    ("track", lambda value: value is None or _is_id(value), "an id, or null"),
)
EVERY_DECISION: tuple[Need, ...] = (
    ("recommendation", _is_id, "an id"),
    ("strategy", _is_text, "a name"),
    ("answered_by", _is_text, "a name"),
    ("depth", lambda value: type(value) is int, "a whole number"),
    ("candidates", lambda value: type(value) is int, "a whole number"),
    ("propensity", _is_number, "a number"),
)
OPTIONAL: tuple[Need, ...] = (
    ("attributes", lambda value: value is None or _is_mapping(value), "name -> value, or null"),
    ("n", _is_count, "a whole number from 1"),
    ("exclude", lambda value: type(value) is list, "a list of ids"),
    ("recommendations", lambda value: type(value) is list, "a list of ids"),
    ("asked", lambda value: value is None or _is_mapping(value), "experiment -> arm"),
    ("key", lambda value: value is None or type(value) is str, "text"),
)


def unusable(event: Mapping[str, Any]) -> tuple[str, str] | None:
    """Say why a line makes no turn: (what must hold, what was found); None if it makes one."""
    message = event.get("message")
    if message not in MESSAGES:
        return "`message` must be next, heard or last", _shown(event, "message")
    needs = EVERY_LINE + EVERY_DECISION if message == "next" else EVERY_LINE
    for name, holds, what in needs:
        if name not in event or not holds(event[name]):
            return f"`{name}` must be {what}", _shown(event, name)
    for name, holds, what in OPTIONAL:
        if name in event and not holds(event[name]):
            return f"`{name}` must be {what}", _shown(event, name)
    if (event["track"] is None) != (event["time"] is None):
        return "`track` and `time` must both be there, or both be null", _shown(event, "time")
    if event.get("n", 1) > 1 and "recommendations" not in event:
        return "`recommendations` must be a list of ids", "nothing"
    return None


def _shown(event: Mapping[str, Any], name: str) -> str:
    return f"{event[name]!r:.80}" if name in event else "nothing"
