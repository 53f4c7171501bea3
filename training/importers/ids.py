"""Ids of listeners and tracks, as a file may give them: nothing is guessed, nothing is rounded."""

import re
from decimal import Decimal

from core.catalog import TrackId, is_id

_FLOAT = re.compile(r"[+-]?\d+\.0*|[+-]?\d(\.\d+)?[eE]\+\d+")
"""Texts that a spreadsheet or pandas makes of an id: 7.0, 1.23E+15."""

_EXACT = 2**53
"""From here on a float skips ints, so it does not say which id was meant."""


class IdFault(Exception):
    """A value that is no id; the text is the reason."""


def parse_id(value: object, meaning: str) -> TrackId:
    """Parse an id: an int of at most 64 bits, or text of 1 to 256 characters without its padding.

    pandas makes floats of ints as soon as one is missing, so a typed file (Parquet, JSON) may give
    7.0 for 7. In text 7.0 is refused: the text does not say whether the id was a number.

    Raises:
        IdFault: The value is no id.
    """
    if type(value) is int and -(2**63) <= value < 2**63:
        return value
    if isinstance(value, bytes):
        value = _decoded(value, meaning)
    if isinstance(value, str):
        value = value.strip()
        if _FLOAT.fullmatch(value):
            raise IdFault(f"{meaning} must not be a number with a point or exponent, as 7.0 for 7")
        if "\0" in value:
            raise IdFault(f"{meaning} must not contain a zero byte")
    elif isinstance(value, float | Decimal):
        number = float(value)
        if not abs(number) < _EXACT or number != int(number):  # NaN is not below
            raise IdFault(f"{meaning} must be a whole number below 2^53, or text")
        value = int(number)
    if not is_id(value):
        raise IdFault(f"{meaning} must be an int or have 1 to 256 characters")
    return value


def _decoded(value: bytes, meaning: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise IdFault(f"{meaning} must be UTF-8") from None
