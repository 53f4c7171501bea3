"""Vectors: for each track, or for each listener, a point of a trained space.

On disk a vector file is an .npz as that of lists: arrays `vectors` (float32 or float16, one row
after the other), `keys`, and a JSON `manifest`, which has the length of a vector.
"""

import hashlib
import json
from array import array
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from core.archive import Key, check_catalog, named_keys, read_members, write_archive
from core.catalog import Catalog, TrackId
from core.errors import InputError
from core.sealed import checksum_of, sealed_copy
from core.vector_cells import CELLS_FROM, Cells, make_cells, rows_of

FORMAT = 1
PRODUCTS = 1 << 22
"""Products that are made at once, 16 MB; it bounds the memory of a batch."""
_LOWEST = np.finfo(np.float32).min
Floats = npt.NDArray[np.float32]
Precision = Literal["float32", "float16"]


class Vectors:
    """Vectors by track or by listener, of unit length or zero.

    Unit length makes the product of two vectors their cosine; the lengths are kept beside.

    Attributes:
        key: Whether the vectors are keyed by track or by listener.
        keys: Catalog index, or listener id, of each row.
        units: float32, (rows, d), the directions.
        lengths: float32, (rows,), the lengths that the vectors have in the file.
        manifest: How they were made.
        checksum: SHA-256 of the file, in hex.
        cells: The groups in which the rows stand, for a search that reads few of them; None in a
            small file.
    """

    def __init__(
        self,
        key: Key,
        keys: Sequence[int] | Sequence[str],
        vectors: Floats,
        catalog: Catalog,
        manifest: Mapping[str, Any],
        checksum: str,
        cells: Cells | None = None,
    ) -> None:
        self.cells = cells
        self.key = key
        self.keys = keys
        self.lengths: Floats = np.linalg.norm(vectors, axis=1).astype(np.float32)
        scale = np.where(self.lengths > 0, self.lengths, 1)
        self.units: Floats = np.ascontiguousarray(vectors / scale[:, None], dtype=np.float32)
        self.manifest = manifest
        self.checksum = checksum
        # Twice the bound of the rounding error of a product with a vector of unit length.
        self._doubt = np.float32(2.5 * self.units.shape[1] * np.finfo(np.float32).eps)
        if key == "track":
            rows = np.full(len(catalog) + 1, -1, dtype=np.int64)
            rows[np.asarray(keys, dtype=np.int64)] = np.arange(len(keys))
            self._row_of_track = array("q", rows.tobytes())  # index -1, UNKNOWN, is the last one
            self.tracks = np.asarray(keys, dtype=np.int32)
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

    def near(
        self, query: Floats, k: int, without: Collection[int] = ()
    ) -> tuple[npt.NDArray[np.int32], Floats]:
        """Find the tracks whose directions have the greatest product with a query.

        Exact without cells. With cells some of the tracks are missed: the manifest has the
        `recall`, the share that is found.

        Args:
            query: float32, (d,).
            k: Number of tracks, at least 1.
            without: Tracks to leave out.

        Returns:
            Catalog indices and products, the greatest first, of equal ones the first rows.
        """
        if self.cells is not None:
            return self._near_in_cells(self.cells, query, k, without)
        return self._best(self.units @ query, query, k, without)

    def _near_in_cells(
        self, cells: Cells, query: Floats, k: int, without: Collection[int]
    ) -> tuple[npt.NDArray[np.int32], Floats]:
        """Search the nearest cells alone."""
        ranges = cells.ranges_near(query)
        products = np.concatenate([self.units[start:end] @ query for start, end in ranges])
        kept = self._among_best(products, query, k + len(without))
        rows = rows_of(ranges)[kept]
        if without:
            rows = rows[~np.isin(self.tracks[rows], list(without))]
        return self._ordered(rows, query, k)

    def near_all(
        self, queries: Floats, k: int, without: Sequence[Collection[int]]
    ) -> list[tuple[npt.NDArray[np.int32], Floats]]:
        """Find the nearest tracks of several queries: what `near` finds for each, to the last bit.

        Several queries are one matrix product, in which a number of the file is read from memory
        once and not once a query.

        Args:
            queries: float32, (n, d).
            k: Number of tracks, at least 1.
            without: Tracks to leave out, for each query.
        """
        if self.cells is not None:
            return [
                self._near_in_cells(self.cells, query, k, left_out)
                for query, left_out in zip(queries, without, strict=True)
            ]
        at_once = max(1, PRODUCTS // len(self))
        found = []
        for start in range(0, len(queries), at_once):
            block = queries[start : start + at_once]
            for place, products in enumerate(block @ self.units.T, start):
                found.append(self._best(products, queries[place], k, without[place]))
        return found

    def _best(
        self, products: Floats, query: Floats, k: int, without: Collection[int]
    ) -> tuple[npt.NDArray[np.int32], Floats]:
        """Choose by products that BLAS made, whose last bits depend on machine, threads and batch.

        So a decision must not depend on these bits, or replay would make a different one. All rows
        that may be among the best are kept, by the bound of the rounding error of a product, and
        their products are computed again in one fixed order.
        """
        if without:
            rows = [self._row_of_track[track] for track in without]
            products[[row for row in rows if row >= 0]] = -np.inf
        return self._ordered(self._among_best(products, query, k), query, k)

    def _among_best(self, products: Floats, query: Floats, k: int) -> npt.NDArray[np.intp]:
        """Give the places of products that may be among the k greatest, whatever BLAS rounded."""
        least, size = _LOWEST, len(products)
        if k < size:
            least = np.partition(products, size - k)[size - k]
            least = max(least - self._doubt * np.sqrt(query @ query), _LOWEST)
        return np.flatnonzero(products >= least)

    def _ordered(
        self, rows: npt.NDArray[np.integer], query: Floats, k: int
    ) -> tuple[npt.NDArray[np.int32], Floats]:
        again: Floats = np.einsum("ij,j->i", self.units[rows], query)
        order = np.argsort(-again, kind="stable")[:k]
        return self.tracks[rows[order]], again[order]


def save_vectors(
    path: Path,
    key: Key,
    keys: Sequence[int] | Sequence[TrackId],
    vectors: npt.NDArray[np.floating],
    catalog: Catalog,
    about: Mapping[str, Any],
    precision: Precision = "float32",
) -> None:
    """Write a vector file; same input, same bytes.

    Args:
        path: The file; replaced as a whole.
        key: Whether `keys` are catalog indices or listener ids.
        keys: Distinct, one for each row.
        vectors: (rows, d), finite.
        catalog: The catalog that the indices belong to.
        about: Entries for the manifest: how the vectors were made.
        precision: Type of the numbers; float16 takes half the memory on disk.

    Raises:
        InputError: The file cannot be written.
    """
    assert vectors.ndim == 2
    assert len(keys) == len(vectors) == len(set(keys))
    assert bool(np.isfinite(vectors).all()), "a vector has finite numbers"
    manifest = {
        **about,
        "format": FORMAT,
        "key": key,
        "catalog": catalog.checksum,
        "dimensions": vectors.shape[1],
    }
    more: dict[str, npt.NDArray[Any]] = {}
    if key == "track" and len(keys) >= CELLS_FROM:
        cells, order = make_cells(_units_of(np.asarray(vectors.astype(precision), np.float32)))
        keys, vectors = np.asarray(keys)[order].tolist(), vectors[order]
        more = {"centres": cells.centres.ravel(), "cells": cells.starts}
        manifest["recall"] = _recall(keys, vectors, cells, catalog)
    write_archive(
        path,
        {
            "manifest": _bytes_of(manifest),
            "keys": named_keys(key, keys),
            "vectors": vectors.astype(precision).ravel(),
            **more,
        },
    )


def _recall(
    keys: Sequence[Any], vectors: npt.NDArray[np.floating], cells: Cells, catalog: Catalog
) -> dict[str, float]:
    """Measure the share of the true nearest tracks that a search of the cells finds."""
    floats = vectors.astype(np.float32)
    exact = Vectors("track", keys, floats, catalog, {}, "")
    in_cells = Vectors("track", keys, floats, catalog, {}, "", cells)
    queries = exact.units[:: max(1, len(keys) // _QUERIES)]
    shares = {}
    for k in (10, 200):
        hits = [
            len(np.intersect1d(exact.near(query, k)[0], in_cells.near(query, k)[0]))
            for query in queries
        ]
        shares[f"of {k}"] = round(sum(hits) / (k * len(queries)), 4)
    return shares


_QUERIES = 200
"""Tracks whose neighbours are searched to measure the recall."""


def _units_of(vectors: Floats) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.where(lengths > 0, lengths, 1), dtype=np.float32)


def load_vectors(path: Path, catalog: Catalog, known: Iterable[Vectors] = ()) -> Vectors:
    """Load a vector file for this catalog.

    Args:
        path: The file.
        catalog: The catalog of its tracks.
        known: Vectors of the same catalog; those with the same content are returned, not loaded
            again, so that a reload needs no memory for vectors that did not change.

    Raises:
        InputError: The file is missing, damaged, foreign, or of a different catalog.
    """
    by_checksum = {each.checksum: each for each in known}
    if by_checksum and (found := by_checksum.get(checksum_of(path))) is not None:
        return found
    copy = sealed_copy(path)
    where = str(path)
    with copy.file:
        members = read_members(path, copy.file, copy.content, "a vector file", _AGAIN)
    manifest, key, keys = members.manifest, members.key, members.keys
    check_catalog(where, manifest, catalog, FORMAT, _AGAIN)
    flat, d = members.arrays.get("vectors"), manifest.get("dimensions")
    is_sound = (
        flat is not None
        and flat.dtype in (np.dtype("f4"), np.dtype("f2"))
        and isinstance(d, int)
        and d > 0
        and len(flat) == d * len(keys)
        and len(set(keys)) == len(keys) > 0
        and (key == "user" or 0 <= min(keys) <= max(keys) < len(catalog))  # type: ignore[operator]
        and bool(np.isfinite(flat).all())
    )
    if not is_sound:
        raise InputError.one(
            where,
            "must have one vector of finite numbers for each key, of known tracks; this does not "
            f"hold. {_AGAIN}",
        )
    assert flat is not None
    vectors = flat.reshape(len(keys), -1).astype(np.float32)
    cells = _cells_of(where, members.arrays, vectors.shape)
    digest = hashlib.sha256(copy.content.data).hexdigest()
    return Vectors(key, keys, vectors, catalog, manifest, digest, cells)


def _cells_of(
    where: str, arrays: Mapping[str, npt.NDArray[Any]], shape: tuple[int, ...]
) -> Cells | None:
    """Give the cells of a file that has some.

    Raises:
        InputError: They do not fit the vectors.
    """
    starts, centres = arrays.get("cells"), arrays.get("centres")
    if starts is None and centres is None:
        return None
    rows, d = shape
    is_sound = (
        starts is not None
        and centres is not None
        and (starts.dtype, centres.dtype) == (np.dtype("i8"), np.dtype("f4"))
        and len(starts) > 1
        and len(centres) == (len(starts) - 1) * d
        and (int(starts[0]), int(starts[-1])) == (0, rows)
        and bool((np.diff(starts) >= 0).all())
        and bool(np.isfinite(centres).all())
    )
    if not is_sound:
        raise InputError.one(where, f"must have cells that hold each row once. {_AGAIN}")
    assert starts is not None
    assert centres is not None
    return Cells(centres.reshape(-1, d), starts)


_AGAIN = "Make it again with `segue train` or `segue vectors import`"


def _bytes_of(manifest: Mapping[str, Any]) -> npt.NDArray[np.uint8]:
    return np.frombuffer(json.dumps(manifest, sort_keys=True).encode(), dtype=np.uint8)
