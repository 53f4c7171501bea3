"""Yambda: Parquet of listens with the ratio played, flat or one row per listener (`sequential`).

The data set has no titles. Artists come from `artist_item_mapping.parquet`: beside the file, in a
folder above it, or named by --artists. Stamps are seconds from an origin that was not published.
Whole columns are read at once, for the data set has up to five billion rows.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.errors import InputError
from training.importers.bad_line import BadLine
from training.importers.collector import Collector
from training.importers.id_codes import IdCodes
from training.importers.import_options import ImportOptions
from training.importers.input_files import InputFile, find_files
from training.importers.parquet_files import (
    NESTED_ROWS,
    ROWS,
    ParquetInput,
    check_plain,
    feed,
    open_parquet,
)

ABOUT = "Yambda, listens.parquet or multi_event.parquet (artist_item_mapping.parquet beside)"

_ARTISTS = "artist_item_mapping.parquet"
_IDS = ("uid", "item_id")
_NEEDED = ("uid", "timestamp", "item_id")
_WANTED = (*_NEEDED, "played_ratio_pct", "event_type")
_LATEST_S = 1 << 32


def read(path: Path, into: Collector, options: ImportOptions) -> bool:
    """Stream the file, or the first listens.parquet or multi_event.parquet of the folder."""
    into.origin = "seconds from an origin that Yambda did not publish"
    file = InputFile(path, path.name)
    if path.is_dir():
        file, *more = find_files(path, into, ("listens.parquet", "multi_event.parquet"))
        into.ignored = [*(each.name for each in more), *into.ignored]
    mapping = options.artists or _find_artists(file.path)
    artists = {} if mapping is None else _read_artists(mapping, options)
    with into.file(file.name) as digest, open_parquet(file.path) as content:
        feed(file.path, digest)
        content.require(_NEEDED)
        _read_listens(str(file.path), content, artists, into, options)
    return True


def _read_listens(
    where: str, content: ParquetInput, artists: dict[int, str], into: Collector,
    options: ImportOptions,
) -> None:  # fmt: skip
    columns = [name for name in _WANTED if name in content.names]
    types = {name: content.schema.field(name).type for name in columns}
    is_nested = any(map(_is_list, types.values()))
    faults: dict[int, BadLine] = {}
    user_codes = IdCodes(into.listener, faults)
    track_codes = IdCodes(lambda id_: into.track(id_, artists.get(id_, ""), column=3), faults)
    first = 1
    for batch in content.batches(columns, NESTED_ROWS if is_nested else ROWS, options.progress):
        rows = {name: batch.column(name) for name in columns}
        if is_nested:
            rows = _unnest(where, rows)
        for name in _IDS:
            check_plain(where, name, rows[name].type)
        users, tracks = user_codes.of(rows["uid"]), track_codes.of(rows["item_id"])
        _Batch(where, first, rows, into).add(users, tracks, faults)
        first += len(rows["uid"])


class _Batch:
    """Rows of one batch: checked by columns, and only faulty ones one by one."""

    def __init__(self, where: str, first: int, rows: dict[str, Any], into: Collector) -> None:
        self._where, self._first, self._into = where, first, into
        self._rows = rows
        self._size = len(rows["uid"])

    def add(
        self,
        users: npt.NDArray[np.int32],
        tracks: npt.NDArray[np.int32],
        faults: Mapping[int, BadLine],
    ) -> None:
        """Count the rows, and add the good ones."""
        into, rows = self._into, self._rows
        into.count(self._size)
        wanted = np.ones(self._size, dtype=bool)
        if "event_type" in rows:
            wanted = self._equal(rows["event_type"], "listen")
            into.leave_out("event that is no listen", int(np.count_nonzero(~wanted)))
        stamp, has_stamp = self._numbers("timestamp")
        good = wanted & (users >= 0) & (tracks >= 0) & has_stamp
        good &= (stamp >= 0) & (stamp < _LATEST_S)
        percent = np.full(self._size, 100.0)
        if "played_ratio_pct" in rows:
            percent, has_percent = self._numbers("played_ratio_pct")
            good &= has_percent
        for place in np.flatnonzero(wanted & ~good).tolist():
            of_ids = faults.get(int(users[place])) or faults.get(int(tracks[place]))
            fault = of_ids or self._fault(place, stamp)
            into.reject(self._where, self._first + place, fault)
        into.note("time outside 0..1 cut to it", int(np.count_nonzero(good & (percent > 100))))
        share = np.clip(percent[good], 0, 100) / 100
        at_ms = (stamp[good] * 1000).astype(np.int64)
        into.add_many(users[good], tracks[good], at_ms, share)

    def _fault(self, place: int, stamp: npt.NDArray[np.float64]) -> BadLine:
        """The fault of a row whose ids are none."""
        if any(self._rows[name][place].as_py() is None for name in _NEEDED):
            return BadLine(1, "uid, timestamp and item_id must not be null")
        if not 0 <= stamp[place] < _LATEST_S:
            got = self._rows["timestamp"][place].as_py()
            return BadLine(2, "timestamp must be seconds, 0 to 2^32", got)
        column = _WANTED.index("played_ratio_pct") + 1
        return BadLine(column, "played_ratio_pct must not be null")

    def _numbers(self, name: str) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_]]:
        """Values of a column, and where there is one."""
        import pyarrow as pa
        import pyarrow.compute as pc

        column = self._rows[name]
        kind = column.type
        if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_null(kind)):
            raise InputError.one(
                f"{self._where}:1:1", f"{name} must be a column of numbers, is of {kind}"
            )
        values = pc.fill_null(column.cast(pa.float64(), safe=False), float("nan"))
        numbers = values.to_numpy(zero_copy_only=False)
        return numbers, np.isfinite(numbers)

    def _equal(self, column: Any, value: str) -> npt.NDArray[np.bool_]:
        """Rows that have the value, or none: a file without kinds of events has only listens."""
        import pyarrow as pa
        import pyarrow.compute as pc

        if pa.types.is_null(column.type):
            return np.ones(self._size, dtype=bool)
        if pa.types.is_dictionary(column.type):
            column = column.dictionary_decode()
        if not (pa.types.is_string(column.type) or pa.types.is_large_string(column.type)):
            raise InputError.one(
                f"{self._where}:1:1", f"event_type must be a column of text, is of {column.type}"
            )
        equal = pc.equal(column, value)
        found: npt.NDArray[np.bool_] = pc.fill_null(equal, True).to_numpy(zero_copy_only=False)
        return found


def _is_list(kind: Any) -> bool:
    import pyarrow as pa

    return bool(
        pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)
    )


def _unnest(where: str, rows: dict[str, Any]) -> dict[str, Any]:
    """Expand one row per listener to one row per listen."""
    import pyarrow as pa
    import pyarrow.compute as pc

    nested = [name for name, column in rows.items() if _is_list(column.type)]
    lengths = {
        name: pc.fill_null(pc.list_value_length(rows[name]), 0).to_numpy(zero_copy_only=False)
        for name in nested
    }
    length = next(iter(lengths.values()))
    unequal = np.any([each != length for each in lengths.values()], axis=0)
    if unequal.any():
        raise InputError.one(
            f"{where}:1:1",
            f"must have lists of one length in a row; those of {', '.join(nested)} differ in row "
            f"{int(unequal.argmax()) + 1} of a batch",
        )
    repeats = pa.array(np.repeat(np.arange(len(length)), length))
    return {
        name: pc.list_flatten(column) if name in nested else column.take(repeats)
        for name, column in rows.items()
    }


def _read_artists(mapping: Path, options: ImportOptions) -> dict[int, str]:
    """Name of the artist by item; the first one of an item."""
    artists: dict[int, str] = {}
    with open_parquet(mapping) as content:
        content.require(("artist_id", "item_id"))
        for name in ("artist_id", "item_id"):
            check_plain(str(mapping), name, content.schema.field(name).type)
        for batch in content.batches(("artist_id", "item_id"), ROWS, options.progress):
            pairs = zip(*(batch.column(name).to_pylist() for name in ("item_id", "artist_id")),
                        strict=True)  # fmt: skip
            for item, artist in pairs:
                artists.setdefault(item, f"artist {artist}")
    return artists


def _find_artists(path: Path) -> Path | None:
    places = [path.parent, *list(path.resolve().parents)[1:3]]
    return next((place / _ARTISTS for place in places if (place / _ARTISTS).exists()), None)
