"""Fields of tracks: genre, year, language, or whatever columns the catalog file has.

A condition on a field is plain JSON, as config and requests have it: a value, a list of values of
which one must be there, or an object with `min`, `max` or `not`. A track without the field meets
no condition. A field may hold a list (genres); then one of its values must meet the condition.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

Scalar = str | int | float | bool
Value = Scalar | tuple[Scalar, ...]
Condition = Scalar | Sequence[Scalar] | Mapping[str, Any]
Where = Mapping[str, Condition]

MOST_VALUES = 32
"""Longest list that a field may hold; longer ones (recommendations in the file) are no field."""

ABSENT = -1


class TrackField:
    """One field of all tracks.

    Attributes:
        values: The distinct values.
        codes: int32, (tracks,): place in `values` of each track's value, or `ABSENT`.
        checksum: SHA-256 of the field's content, in hex.
    """

    __slots__ = ("checksum", "codes", "values")

    def __init__(self, values: Sequence[Value], codes: npt.NDArray[np.int32]) -> None:
        self.values = tuple(values)
        self.codes = codes
        digest = hashlib.sha256(orjson.dumps(self.values))
        digest.update(codes.astype("<i4").tobytes())
        self.checksum = digest.hexdigest()

    def value(self, track: int) -> Value | None:
        """Return the value of a track, by its index; None if it has none."""
        code = int(self.codes[track])
        return None if code == ABSENT else self.values[code]

    def tracks_where(self, condition: Condition) -> npt.NDArray[np.bool_]:
        """Test every track: bool, (tracks,)."""
        # The last place stands for tracks without a value: code -1 reads it.
        met = np.array([*(_meets(value, condition) for value in self.values), False])
        found: npt.NDArray[np.bool_] = met[self.codes]
        return found


class FieldColumns:
    """The fields of a catalog while its file is read, one record after the other."""

    def __init__(self, known: Iterable[str]) -> None:
        """Begin; keys in `known` are no fields of their own."""
        self._known = frozenset(known)
        self._codes: dict[str, list[int]] = {}
        self._places: dict[str, dict[Any, int]] = {}
        self._rows = 0

    def add(self, record: Mapping[str, Any]) -> None:
        """Take the fields of the next track."""
        if len(record) > len(self._known & record.keys()):
            for key, raw in record.items():
                value = None if key in self._known else _value_of(raw)
                if value is not None:
                    self._take(key, value)
        self._rows += 1

    def fields(self) -> dict[str, TrackField]:
        """Give the fields by name."""
        found = {}
        for key, codes in self._codes.items():
            padded = codes + [ABSENT] * (self._rows - len(codes))
            values = [value for _, value in self._places[key]]
            found[key] = TrackField(values, np.array(padded, dtype=np.int32))
        return found

    def _take(self, key: str, value: Value) -> None:
        codes = self._codes.setdefault(key, [])
        places = self._places.setdefault(key, {})
        codes += [ABSENT] * (self._rows - len(codes))
        # With their types, since True, 1 and 1.0 are one key of a dict.
        codes.append(places.setdefault((_types(value), value), len(places)))


def tracks_where(fields: Mapping[str, TrackField], where: Where) -> npt.NDArray[np.bool_]:
    """Test which tracks meet every condition: bool, (tracks,).

    Raises:
        KeyError: There is no field of a name in `where`.
    """
    tests = [fields[name].tracks_where(condition) for name, condition in where.items()]
    met: npt.NDArray[np.bool_] = np.logical_and.reduce(tests)
    return met


def fault_of(condition: object) -> str | None:
    """Say what is wrong with a condition; None if it is sound."""
    if _is_scalar(condition):
        return None
    if isinstance(condition, Mapping):
        unknown = condition.keys() - {"min", "max", "not"}
        if unknown or not condition:
            return f"must have `min`, `max` or `not`, got {sorted(map(str, condition))}"
        if any(not _is_number(condition[key]) for key in ("min", "max") if key in condition):
            return f"must have numbers as `min` and `max`, got {dict(condition)}"
        return fault_of(condition["not"]) if "not" in condition else None
    if isinstance(condition, Sequence) and condition and all(map(_is_scalar, condition)):
        return None
    return f"must be a value, a list of values, or {{min, max, not}}, got {condition!r:.80}"


def _value_of(raw: object) -> Value | None:
    if isinstance(raw, list):
        is_short = 0 < len(raw) <= MOST_VALUES
        return tuple(raw) if is_short and all(map(_is_scalar, raw)) else None
    return raw if _is_scalar(raw) else None  # type: ignore[return-value]


def _types(value: Value) -> Any:
    return tuple(map(type, value)) if isinstance(value, tuple) else type(value)


def _is_scalar(value: object) -> bool:
    return isinstance(value, str | int | float | bool)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _meets(value: Value, condition: Condition) -> bool:
    if isinstance(value, tuple):
        if isinstance(condition, Mapping) and "not" in condition:
            return all(_meets(each, condition) for each in value)
        return any(_meets(each, condition) for each in value)
    if isinstance(condition, Mapping):
        return _in_range(value, condition)
    if isinstance(condition, str) or not isinstance(condition, Sequence):
        return _equal(value, condition)
    return any(_equal(value, each) for each in condition)


def _in_range(value: Scalar, condition: Mapping[str, Any]) -> bool:
    if "not" in condition and _meets(value, condition["not"]):
        return False
    if "min" not in condition and "max" not in condition:
        return True
    if not _is_number(value):
        return False
    least, most = condition.get("min", -np.inf), condition.get("max", np.inf)
    return bool(least <= value <= most)


def _equal(one: Scalar, two: object) -> bool:
    """Compare by equality, but `true` is not 1."""
    return isinstance(one, bool) is isinstance(two, bool) and one == two
