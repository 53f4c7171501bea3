"""Vectors: for each track, or for each listener, a point of a trained space."""

from array import array
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from core.archive import Key
from core.catalog import Catalog
from core.nearest import (
    Floats,
    Groups,
    Places,
    among_greatest,
    among_greatest_of_each,
    doubt,
    greatest_in_order,
)

PRODUCTS = 1 << 22
"""Products that are made at once, 16 MB; it bounds the memory of a batch."""
Nearest = tuple[npt.NDArray[np.int32], Floats]
"""Catalog indices and products, the greatest first."""


class Index(Protocol):
    """A finder of rows near a query that makes no product with each of them: cells, or a graph."""

    def rows_near(self, units: Floats, query: Floats, k: int, within: float) -> Places:
        """Give rows, in order, among which most of the k nearest are."""

    def rows_near_each(
        self, units: Floats, queries: Floats, wanted: list[int], within: Floats
    ) -> Groups:
        """Do the same for several queries, with a k for each."""


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
            rows = among_greatest(products, k, within)
        else:
            rows = self.index.rows_near(self.units, query, k + len(left_out), within)
            rows = self._without(rows, left_out)
        return self._ordered(rows, query, k)

    def near_all(
        self, queries: Floats, k: int, without: Sequence[Collection[int]]
    ) -> list[Nearest]:
        """Find the nearest tracks of several queries: what `near` finds for each, to the last bit.

        Several queries are one matrix product, in which a number of the file is read from memory
        once and not once a query; and a step over all of them costs one call and not one a query.

        Args:
            queries: float32, (n, d).
            k: Number of tracks, at least 1.
            without: Tracks to leave out, for each query.
        """
        at_once = max(1, PRODUCTS // len(self))
        found: list[Nearest] = []
        for start in range(0, len(queries), at_once):
            block = queries[start : start + at_once]
            left_out = [self._rows_of(each) for each in without[start : start + at_once]]
            found += self._each_ordered(self._rows_near(block, k, left_out), block, k)
        return found

    def _rows_of(self, tracks: Collection[int]) -> list[int]:
        row_of = self._row_of_track
        return [row for track in tracks if (row := row_of[track]) >= 0]

    def _rows_near(self, queries: Floats, k: int, left_out: list[list[int]]) -> Groups:
        """Give the rows that may be among the k nearest of each query."""
        within = np.array([doubt(each, self.dimensions) for each in queries], dtype=np.float32)
        if self.index is None:
            products = queries @ self.units.T
            for each, rows in zip(products, left_out, strict=True):
                each[rows] = -np.inf
            return among_greatest_of_each(products, k, within)
        wanted = [k + len(each) for each in left_out]
        found = self.index.rows_near_each(self.units, queries, wanted, within)
        return Groups.of(
            [
                self._without(found.places[each], rows)
                for each, rows in zip(found.slices(), left_out, strict=True)
            ]
        )

    def _without(self, rows: Places, left_out: list[int]) -> Places:
        if not left_out:
            return rows
        marks = self._left_out
        marks[left_out] = True
        kept = rows[~marks[rows]]
        marks[left_out] = False
        return kept

    def _ordered(self, rows: Places, query: Floats, k: int) -> Nearest:
        """Rank rows by products that are computed in one fixed order."""
        again = self._products(rows, query)
        order = np.argsort(-again, kind="stable")[:k]
        return self.tracks[rows[order]], again[order]

    def _each_ordered(self, rows: Groups, queries: Floats, k: int) -> list[Nearest]:
        """Do the same for the rows of each query."""
        each_query = zip(rows.slices(), queries, strict=True)
        again = [self._products(rows.places[each], query) for each, query in each_query]
        products = np.concatenate(again)
        order = greatest_in_order(products, rows.ends, k)
        tracks, products = self.tracks[rows.places[order.places]], products[order.places]
        return [(tracks[each], products[each]) for each in order.slices()]

    def _products(self, rows: Places, query: Floats) -> Floats:
        # einsum and not a matrix product: its last bits are the same on every machine.
        found: Floats = np.einsum("ij,j->i", self.units.take(rows, axis=0), query)
        return found


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
