"""Vectors: for each track, or for each listener, a point of a trained space."""

from array import array
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from core.archive import Key
from core.catalog import Catalog
from core.nearest import Floats, Places, among_greatest, among_greatest_of_each, doubt

PRODUCTS = 1 << 22
"""Products that are made at once, 16 MB; it bounds the memory of a batch."""
Nearest = tuple[npt.NDArray[np.int32], Floats]
"""Catalog indices and products, the greatest first."""


class Index(Protocol):
    """A finder of rows near a query that makes no product with each of them: cells, or a graph."""

    def rows_near(self, units: Floats, query: Floats, k: int, within: float) -> Places:
        """Give rows, in order, among which most of the k nearest are."""


class Vectors:
    """Vectors by track or by listener, of unit length or zero.

    Unit length makes the product of two vectors their cosine; the lengths are kept beside.

    Attributes:
        key: Whether the vectors are keyed by track or by listener.
        keys: Catalog index, or listener id, of each row.
        units: float32, (rows, d), the directions.
        lengths: float32, (rows,), the lengths that the vectors had before.
        manifest: How they were made.
        checksum: SHA-256 of the file, in hex.
        index: Finds rows without a product with each; None in a small file.
    """

    def __init__(
        self,
        key: Key,
        keys: Sequence[int] | Sequence[str],
        vectors: Floats,
        catalog: Catalog,
        manifest: Mapping[str, Any],
        checksum: str,
        index: Index | None = None,
        lengths: Floats | None = None,
    ) -> None:
        """Take vectors of any lengths, or directions with the `lengths` that they had."""
        self.index = index
        self.key = key
        self.keys = keys
        self.units, self.lengths = split(vectors) if lengths is None else (vectors, lengths)
        self.manifest = manifest
        self.checksum = checksum
        if key == "track":
            rows = np.full(len(catalog) + 1, -1, dtype=np.int64)
            rows[np.asarray(keys, dtype=np.int64)] = np.arange(len(keys))
            # Index -1, UNKNOWN, is the last one.
            self._row_of_track = array("q", rows.tobytes())
            self.tracks = np.asarray(keys, dtype=np.int32)
            self._left_out = np.zeros(len(keys), dtype=np.bool_)  # at rest between two calls
        else:
            self._row_of_user = {str(user): row for row, user in enumerate(keys)}

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def dimensions(self) -> int:
        """Length of a vector, a count of numbers."""
        return int(self.units.shape[1])

    def row_of_track(self, track: int) -> int:
        """The row of a track (an index or `UNKNOWN`); -1 if it has none."""
        return self._row_of_track[track]

    def row_of_user(self, user: str) -> int:
        """The row of a listener; -1 if they have none."""
        return self._row_of_user.get(user, -1)

    def near(self, query: Floats, k: int, without: Collection[int] = ()) -> Nearest:
        """Find the tracks whose directions have the greatest product with a query.

        Exact without an index. With one some of the tracks are missed: the manifest has the
        `recall`, the share that is found.

        Args:
            query: float32, (d,).
            k: Number of tracks, at least 1.
            without: Tracks to leave out.

        Returns:
            Catalog indices and products, the greatest first, of equal ones the first rows.
        """
        left_out, within = self._rows_of(without), doubt(query, self.dimensions)
        if self.index is None:
            products = self.units @ query
            products[left_out] = -np.inf
            return self._ordered(among_greatest(products, k, within), query, k)
        rows = self.index.rows_near(self.units, query, k + len(left_out), within)
        if left_out:
            self._left_out[left_out] = True
            rows = rows[~self._left_out[rows]]
            self._left_out[left_out] = False
        return self._ordered(rows, query, k)

    def near_all(
        self, queries: Floats, k: int, without: Sequence[Collection[int]]
    ) -> list[Nearest]:
        """Find the nearest tracks of several queries: what `near` finds for each, to the last bit.

        Several queries are one matrix product, in which a number of the file is read from memory
        once and not once a query.

        Args:
            queries: float32, (n, d).
            k: Number of tracks, at least 1.
            without: Tracks to leave out, for each query.
        """
        if self.index is not None:
            return [self.near(query, k, each) for query, each in zip(queries, without, strict=True)]
        at_once = max(1, PRODUCTS // len(self))
        found: list[Nearest] = []
        for start in range(0, len(queries), at_once):
            block = queries[start : start + at_once]
            products = block @ self.units.T
            for each, left_out in zip(products, without[start : start + at_once], strict=True):
                each[self._rows_of(left_out)] = -np.inf
            within = [doubt(query, self.dimensions) for query in block]
            rows = among_greatest_of_each(products, k, within)
            found += [self._ordered(each, q, k) for each, q in zip(rows, block, strict=True)]
        return found

    def _rows_of(self, tracks: Collection[int]) -> list[int]:
        row_of = self._row_of_track
        return [row for track in tracks if (row := row_of[track]) >= 0]

    def _ordered(self, rows: Places, query: Floats, k: int) -> Nearest:
        """Rank rows by products that are computed in one fixed order."""
        again: Floats = np.einsum("ij,j->i", self.units.take(rows, axis=0), query)
        order = np.argsort(-again, kind="stable")[:k]
        return self.tracks[rows[order]], again[order]


def split(vectors: npt.NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Give directions, of unit length or zero, and lengths of vectors; a length may be infinite."""
    floats = np.asarray(vectors, dtype=np.float32)
    with np.errstate(over="ignore"):
        lengths: Floats = np.linalg.norm(floats, axis=1).astype(np.float32)
    scale = np.where(lengths > 0, lengths, 1)
    units: Floats = np.ascontiguousarray(floats / scale[:, None], dtype=np.float32)
    # The square of a very large or very small number is no float32: such rows are scaled first.
    odd = np.flatnonzero(~((lengths > _SMALL) & (lengths < 1 / _SMALL)))
    if len(odd):
        largest = np.abs(floats[odd]).max(axis=1)
        scaled = floats[odd] / np.where(largest > 0, largest, 1)[:, None]
        of_scaled = np.linalg.norm(scaled, axis=1)
        units[odd] = scaled / np.where(of_scaled > 0, of_scaled, 1)[:, None]
        with np.errstate(over="ignore"):
            lengths[odd] = largest * of_scaled
    return units, lengths


_SMALL = np.float32(1e-15)
