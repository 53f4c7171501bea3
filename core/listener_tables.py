"""Listener tables: what is known of each listener's taste, as numbers that strategies read.

On disk a table is an .npz as that of lists: arrays `interests` (points of a vector space),
`shares`, `thresholds` and `favourites`, one row of each for a key, and `keys` and a `manifest`.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.archive import check_catalog, named_keys, read_members, write_archive
from core.catalog import UNKNOWN, Catalog
from core.errors import InputError
from core.sealed import same_content, sealed_copy

FORMAT = 1
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class ListenerRows:
    """The numbers of a table, one row for each listener.

    Attributes:
        interests: float32, (rows, interests, d), points of the space of a vector file.
        shares: float32, (rows, interests), the share of the sessions that were about each.
        thresholds: float32, (rows,), the bias of the listener: the greater it is, the longer
            they hear a track that fits no better.
        favourites: int32, (rows, n), catalog indices of the tracks liked best, first the best;
            `UNKNOWN` at the end where there are fewer.
    """

    interests: Floats
    shares: Floats
    thresholds: Floats
    favourites: npt.NDArray[np.int32]


class ListenerTable:
    """Rows by listener, from a file or made by hand.

    Attributes:
        key: Always `user`: tables are keyed by listener.
        keys: Listener id of each row.
        units: float32, (rows, interests, d), directions of the interests; zero where there is none.
        rows: The numbers as they are in the file.
        manifest: How they were made.
        checksum: SHA-256 of the file, in hex.
    """

    key = "user"

    def __init__(
        self, keys: Sequence[str], rows: ListenerRows, manifest: Mapping[str, Any], checksum: str
    ) -> None:
        self.keys = keys
        self.rows = rows
        self.manifest = manifest
        self.checksum = checksum
        lengths = np.linalg.norm(rows.interests, axis=2, keepdims=True)
        self.units: Floats = np.asarray(
            rows.interests / np.where(lengths > 0, lengths, 1), dtype=np.float32
        )
        self._row_of = {user: row for row, user in enumerate(keys)}

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def dimensions(self) -> int:
        """Length of the vector of an interest, a count of numbers."""
        return int(self.rows.interests.shape[2])

    def row_of_user(self, user: str) -> int:
        """The row of a listener; -1 if they have none."""
        return self._row_of.get(user, -1)


def save_table(
    path: Path, keys: Sequence[str], rows: ListenerRows, catalog: Catalog, about: Mapping[str, Any]
) -> None:
    """Write a table; same input, same bytes.

    Args:
        path: The file; replaced as a whole.
        keys: Listener ids, distinct, one for each row.
        rows: The numbers, finite.
        catalog: The catalog that the favourites belong to.
        about: Entries for the manifest: how the table was made.

    Raises:
        InputError: The file cannot be written.
    """
    assert len(keys) == len(rows.interests) == len(set(keys))
    manifest = {
        **about,
        "format": FORMAT,
        "key": "user",
        "catalog": catalog.checksum,
        "interests": rows.interests.shape[1],
        "dimensions": rows.interests.shape[2],
        "favourites": rows.favourites.shape[1],
    }
    write_archive(
        path,
        {
            "manifest": np.frombuffer(json.dumps(manifest, sort_keys=True).encode(), np.uint8),
            "keys": named_keys("user", keys),
            "interests": rows.interests.astype(np.float32).ravel(),
            "shares": rows.shares.astype(np.float32).ravel(),
            "thresholds": rows.thresholds.astype(np.float32),
            "favourites": rows.favourites.astype(np.int32).ravel(),
        },
    )


def load_table(path: Path, catalog: Catalog, known: Iterable[ListenerTable] = ()) -> ListenerTable:
    """Load a table for this catalog; one of `known` if it has the same content.

    Raises:
        InputError: The file is missing, damaged, foreign, or of a different catalog.
    """
    if (found := same_content(path, known)) is not None:
        return found
    copy = sealed_copy(path)
    where = str(path)
    with copy.file:
        members = read_members(
            path, copy.file, copy.content, "a table by listener", _AGAIN, _flat_arrays
        )
    check_catalog(where, members.manifest, catalog, FORMAT, _AGAIN)
    keys = [str(user) for user in members.keys]
    rows = _shaped(members.arrays, members.manifest, len(keys))
    if members.key != "user" or rows is None or not _is_sound(keys, rows, len(catalog)):
        raise InputError.one(
            where,
            "must have finite numbers and known tracks for each listener; this does not hold. "
            f"{_AGAIN}",
        )
    return ListenerTable(
        keys, rows, members.manifest, hashlib.sha256(copy.content.data).hexdigest()
    )


_AGAIN = "Make it again with `segue train interests`"
_MOST = 1 << 20
"""Most numbers of one kind in a row; a damaged manifest may say anything."""
_ARRAYS = {"interests": "f4", "shares": "f4", "thresholds": "f4", "favourites": "i4"}


def _flat_arrays(arrays: Mapping[str, npt.NDArray[Any]]) -> None:
    for name, kind in _ARRAYS.items():
        if arrays[name].dtype != np.dtype(kind):
            raise ValueError(f"{name} has the type {arrays[name].dtype}")


def _shaped(
    arrays: Mapping[str, npt.NDArray[Any]], manifest: Mapping[str, Any], count: int
) -> ListenerRows | None:
    """Give the arrays their shapes, None if they do not fit."""
    sizes = [manifest.get(name) for name in ("interests", "dimensions", "favourites")]
    interests, d, favourites = (size if type(size) is int else -1 for size in sizes)
    if not 0 < interests <= _MOST or not 0 < d <= _MOST or not 0 <= favourites <= _MOST:
        return None
    shapes: dict[str, tuple[int, ...]] = {
        "interests": (count, interests, d),
        "shares": (count, interests),
        "thresholds": (count,),
        "favourites": (count, favourites),
    }
    if any(arrays[name].size != int(np.prod(shape)) for name, shape in shapes.items()):
        return None
    return ListenerRows(**{name: arrays[name].reshape(shape) for name, shape in shapes.items()})


def _is_sound(keys: Sequence[str], rows: ListenerRows, tracks: int) -> bool:
    numbers = (rows.interests, rows.shares, rows.thresholds)
    return (
        len(set(keys)) == len(keys) > 0
        and all(bool(np.isfinite(each).all()) for each in numbers)
        and bool((rows.shares >= 0).all())
        and int(rows.favourites.min(initial=0)) >= UNKNOWN
        and int(rows.favourites.max(initial=-1)) < tracks
    )
