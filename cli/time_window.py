"""`--since` and `--until`: the part of a log to read, by the start of its sessions."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from core.errors import InputError

Since = Annotated[
    str | None,
    typer.Option(
        help="Only sessions that began at this time or later: 2026-11-01 or 2026-11-01T12:00, UTC."
    ),
]
Until = Annotated[str | None, typer.Option(help="Only sessions that began before this time.")]


def window(since: str | None, until: str | None) -> tuple[int | None, int | None]:
    """Parse both ends as Unix time in ms; None for an open end.

    Raises:
        InputError: A text is no time, or the end is not after the start.
    """
    since_ms, until_ms = _at_ms("--since", since), _at_ms("--until", until)
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise InputError.one("--until", f"must be after --since {since}, got {until}")
    return since_ms, until_ms


def _at_ms(option: str, text: str | None) -> int | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise InputError.one(
            option, f"must be a time as 2026-11-01 or 2026-11-01T12:00, got {text!r}"
        ) from error
    return round((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)
