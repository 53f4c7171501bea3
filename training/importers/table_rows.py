"""Rows of a table: the value of each meaning, checked and added as one listen."""

from collections.abc import Mapping
from math import isfinite
from typing import Any

from training.importers.bad_line import BadLine
from training.importers.collector import Collector
from training.importers.import_options import ImportOptions
from training.importers.parquet_files import check_plain
from training.importers.stamps import moment_ms, parse_number, within

_MOST = 2**31 - 1
_KNOWN = 10_000
"""Texts of shares whose numbers are kept; a share of two digits has only a hundred."""

_UNITS_MS = {"s": (1000, 1), "ms": (1, 1), "us": (1, 1000), "ns": (1, 1_000_000)}
"""Unit of a Parquet timestamp -> factor and divisor to milliseconds."""


class TypedMs(int):
    """A time in ms whose type the file told, so that its unit need not be plausible."""


class RowReader:
    """Adds rows.

    Attributes:
        places: Meaning -> place of its column, from 0, for faults.
    """

    def __init__(self, into: Collector, options: ImportOptions, places: Mapping[str, int]) -> None:
        self.places = places
        self._into = into
        self._whole = 100.0 if options.percent else 1.0
        self._now_ms = options.now_ms
        self._shares: dict[str, float] = {}

    def add(self, row: Mapping[str, Any]) -> None:
        """Add one row: meaning -> value.

        Raises:
            BadLine: A value cannot be used.
        """
        into, get = self._into, row.get
        listener = into.find_listener(get("user"))
        if listener is None:
            listener = into.listener(get("user"), self.places.get("user", 0) + 1)
        track = into.find_track(get("track"))
        if track is None:
            artist, title = str(get("artist") or ""), str(get("title") or "")
            track = into.track(get("track"), artist, title, self.places.get("track", 0) + 1)
        # Most tables have none of these three, and looking for each costs a tenth of a row.
        plays = self._count(row, "plays", 1, 1) if "plays" in row else 1
        position = self._count(row, "position", 0, -1) if "position" in row else -1
        session = get("session", "")
        has_session = session is not None and session != ""
        into.add(
            listener,
            track,
            self._moment(get("at")),
            self._share(row),
            session=into.session(listener, session) if has_session else -1,
            position=position,
            plays=plays,
        )

    def _moment(self, value: Any) -> int | None:
        if value is None or value == "":
            return None
        try:
            if isinstance(value, TypedMs):
                return within(int(value), int(value), 1, self._now_ms)
            return moment_ms(value, 1, self._now_ms)
        except BadLine as fault:
            fault.column = self.places.get("at", 0) + 1
            raise

    def _share(self, row: Mapping[str, Any]) -> float:
        text = row.get("time")
        known = self._shares.get(text) if isinstance(text, str) else None
        if known is not None:
            return known
        time = self._number(row, "time")
        if time is None:
            return 1.0
        share = time / self._whole
        if share < 0:
            raise self._fault(row, "time", "time must not be negative")
        if share > 1:
            if self._whole == 1:
                raise self._fault(
                    row, "time", "time must be a share in 0..1 (percent? then --percent)"
                )
            self._into.note("time outside 0..1 cut to it")
        elif isinstance(text, str) and len(self._shares) < _KNOWN:
            self._shares[text] = share
        return min(share, 1.0)

    def _count(self, row: Mapping[str, Any], meaning: str, least: int, absent: int) -> int:
        number = self._number(row, meaning)
        if number is None:
            return absent
        if number < least or number != int(number) or number > _MOST:
            raise self._fault(row, meaning, f"{meaning} must be a count of at least {least}")
        return int(number)

    def _number(self, row: Mapping[str, Any], meaning: str) -> float | None:
        """The number of a cell; None for an empty one."""
        value = row.get(meaning)
        if value is None or value == "":
            return None
        number = parse_number(value)
        if number is None or not isfinite(number):
            raise self._fault(row, meaning, f"{meaning} must be a number")
        return number

    def _fault(self, row: Mapping[str, Any], meaning: str, reason: str) -> BadLine:
        return BadLine(self.places.get(meaning, 0) + 1, reason, row.get(meaning))


def parquet_columns(where: str, batch: Any, names: Mapping[str, str]) -> dict[str, list[Any]]:
    """Values of each meaning in a record batch of Parquet; times of a time type as `TypedMs`."""
    columns = {}
    for meaning, name in names.items():
        column = batch.column(name)
        if meaning == "at":
            columns[meaning] = _times(where, name, column)
        else:
            check_plain(where, name, column.type)
            columns[meaning] = column.to_pylist()
    return columns


def _times(where: str, name: str, column: Any) -> list[Any]:
    """Times as integers, so that neither nanoseconds nor the year 10000 are an error."""
    import pyarrow as pa

    kind = column.type
    if pa.types.is_timestamp(kind):
        factor, divisor = _UNITS_MS[kind.unit]
        values = column.cast(pa.int64()).to_pylist()
        return [None if v is None else TypedMs(v * factor // divisor) for v in values]
    if pa.types.is_date(kind):
        days = column.cast(pa.date32(), safe=False).cast(pa.int32()).to_pylist()
        return [None if day is None else TypedMs(day * 86_400_000) for day in days]
    check_plain(where, name, kind)
    values = column.to_pylist()
    assert isinstance(values, list)
    return values
