"""Times of listens: ISO 8601, or Unix time whose unit is told by what is plausible."""

import re
from datetime import UTC, date, datetime

from training.importers.bad_line import BadLine

EARLIEST_S = 631_152_000
"""1990. A number below it is no Unix time of a listen, but a date, a day or a count. A text or a
timestamp below it was made of such a number: pandas makes 1970-01-01 00:00:01.7 of 1704103200 s."""

DAY_MS = 86_400_000

_SCALES = (1.0, 1e3, 1e6, 1e9)
"""Seconds, milliseconds, microseconds, nanoseconds: from 1990 until now they do not overlap."""

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", re.ASCII)
_DATE = re.compile(r"(19|20)\d\d(0[1-9]|1[0-2])(0[1-9]|[12]\d|3[01])(\d\d){0,3}")
_SPREADSHEET_DAYS = range(20_000, 80_000)  # 1954 to 2119

_WHAT = "time of the listen must be ISO 8601 or Unix time"


def parse_number(value: object) -> float | None:
    """Read a number, or the text of one; None if it is neither. `1_000` and `٣` are no numbers."""
    if isinstance(value, str):
        text = value.strip()
        return float(text) if _NUMBER.fullmatch(text) else None
    if isinstance(value, bool | bytes) or value is None:
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if number == number and abs(number) != float("inf") else None


def moment_ms(value: object, column: int, now_ms: float) -> int:
    """Read the time of a listen: Unix time in ms. ISO 8601 without an offset is UTC.

    Args:
        value: A number, a text, a date or a datetime.
        column: Place of the value, for the fault.
        now_ms: The time of the import; a listen cannot be more than a day later.

    Raises:
        BadLine: It is no time, or an implausible one.
    """
    if isinstance(value, str) and value[4:5] == "-":  # most tables have ISO 8601
        return within(_of_text(value, column), value, column, now_ms)
    if isinstance(value, datetime):
        return within(_of_datetime(value, value, column), value, column, now_ms)
    if isinstance(value, date):
        midnight = datetime(value.year, value.month, value.day, tzinfo=UTC)
        return within(round(midnight.timestamp() * 1000), value, column, now_ms)
    number = parse_number(value)
    if number is not None:
        return _of_number(number, value, column, now_ms)
    if not isinstance(value, str):
        raise BadLine(column, _WHAT, value)
    return within(_of_text(value, column), value, column, now_ms)


def within(at_ms: int, value: object, column: int, now_ms: float) -> int:
    """The time itself, if it is between 1990 and a day from now.

    Raises:
        BadLine: It is not.
    """
    if at_ms > now_ms + DAY_MS:
        raise BadLine(column, "time of the listen must not be in the future", value)
    if at_ms < EARLIEST_S * 1000:
        raise BadLine(column, "time of the listen must be 1990 or later", value)
    return at_ms


def _of_text(value: str, column: int) -> int:
    try:
        moment = datetime.fromisoformat(value.strip().removesuffix(" UTC"))
    except ValueError:
        raise BadLine(column, _WHAT, value) from None
    return _of_datetime(moment, value, column)


def _of_datetime(moment: datetime, value: object, column: int) -> int:
    try:
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return round(moment.timestamp() * 1000)
    except (OverflowError, ValueError):
        raise BadLine(column, _WHAT, value) from None


def _of_number(number: float, value: object, column: int, now_ms: float) -> int:
    """Unix time of a plausible unit; the digits of a date and a spreadsheet's day are named."""
    latest_s = (now_ms + DAY_MS) / 1000
    for scale in _SCALES:
        if EARLIEST_S * scale <= number <= latest_s * scale:
            return round(number / scale * 1000)
    if number == int(number) and _DATE.fullmatch(str(int(number))):
        raise BadLine(
            column, "time of the listen looks like a date; write 20240105 as 2024-01-05", value
        )
    if int(number) in _SPREADSHEET_DAYS:
        raise BadLine(
            column,
            "time of the listen looks like a spreadsheet's day number; save the column as text "
            "like 2024-01-05 10:30",
            value,
        )
    raise BadLine(column, "time of the listen must be Unix time between 1990 and now", value)
