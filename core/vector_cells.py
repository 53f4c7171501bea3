"""Cells: rows of a large vector file in groups of one direction; a search reads few of them.

An inverted file over k-means (IVF). The file has its rows in the order of the cells, and the cells'
centres, so the search is the same wherever the file is: replay needs no index of its own.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from core.nearest import Groups, Places, among_greatest, among_greatest_of_each

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

_SAMPLE = 50_000
_ROUNDS = 8
_BLOCK = 4096
_PROBED = 16
"""One in so many cells is read of a file that does not say how many."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Groups of neighbouring rows.

    Attributes:
        centres: float32, (cells, d), the mean direction of each cell.
        starts: int64, (cells + 1,), the first row of each cell, and the number of rows.
        probed: Number of cells that a search reads.
    """

    centres: Floats
    starts: Ints
    probed: int

    def rows_near(self, units: Floats, query: Floats, k: int, within: float) -> Places:
        """Give the rows, in order, that may be among the k nearest in the nearest cells.

        Args:
            units: float32, (rows, d), the directions.
            query: float32, (d,).
            k: Number of rows that are wanted.
            within: As in `among_greatest`.
        """
        [near] = self._cells_near(query[None], np.array([within], dtype=np.float32))
        starts, ends = self.starts[near], self.starts[near + 1]
        ranges = zip(starts.tolist(), ends.tolist(), strict=True)
        read = np.concatenate([units[start:end] @ query for start, end in ranges])
        places = among_greatest(read, k, within)
        read_before = np.cumsum(ends - starts)
        cell = np.searchsorted(read_before, places, side="right")
        found: Places = places + (ends - read_before)[cell]
        return found

    def rows_near_each(
        self, units: Floats, queries: Floats, wanted: list[int], within: Floats
    ) -> Groups:
        """Do the same for several queries, whose products lie side by side, padded with -inf."""
        near = self._cells_near(queries, within)
        starts, ends = self.starts[near], self.starts[near + 1]
        read_before = np.cumsum(ends - starts, axis=1)
        read = np.full((len(queries), read_before[:, -1].max()), -np.inf, dtype=np.float32)
        for query, row, *ranges in zip(queries, read, starts.tolist(), ends.tolist(), strict=True):
            at = 0
            for start, end in zip(*ranges, strict=True):
                np.dot(units[start:end], query, out=row[at : (at := at + end - start)])
        # If one query wants more than the rest, these keep a few rows more: it changes no choice.
        places, query_ends = among_greatest_of_each(read, max(wanted), within)
        offsets = np.arange(len(queries)) * read.shape[1]
        flat = places + np.repeat(offsets, np.diff(query_ends, prepend=0))
        cell_ends = np.searchsorted(flat, (read_before + offsets[:, None]).ravel())
        shifts = np.repeat((ends - read_before).ravel(), np.diff(cell_ends, prepend=0))
        return Groups(places + shifts, query_ends)

    def _cells_near(self, queries: Floats, within: Floats) -> Ints:
        """Give the nearest cells of each query, in order: int64, (n, probed)."""
        count = len(self.centres)
        probed = min(self.probed, count)
        products = queries @ self.centres.T
        least = np.partition(products, count - probed, axis=1)[:, count - probed] - within
        near = products >= least[:, None]
        flat = np.flatnonzero(near)
        if len(flat) > len(queries) * probed:  # rounding leaves a doubt somewhere
            exact = np.array([np.einsum("ij,j->i", self.centres, query) for query in queries])
            ranked = np.argsort(-exact, axis=1, kind="stable")[:, :probed]
            return np.sort(ranked, axis=1)
        found: Ints = (flat % count).reshape(len(queries), probed)
        return found


def make_cells(units: Floats, density: float, seed: int = 1) -> tuple[Cells, Ints]:
    """Group rows by direction: spherical k-means on a sample.

    Args:
        units: float32, (rows, d), of unit length or zero.
        density: Number of cells, as a multiple of the root of the number of rows.
        seed: Seed of the first centres.

    Returns:
        The cells, and the order of the rows in them: int64, (rows,).
    """
    rng = np.random.default_rng(seed)
    count = max(1, round(density * np.sqrt(len(units))))
    sample = units[np.sort(rng.permutation(len(units))[:_SAMPLE])]
    centres = sample[rng.choice(len(sample), count, replace=False)].copy()
    for _ in range(_ROUNDS):
        cell = _nearest(sample, centres)
        sums = np.zeros(centres.shape, dtype=np.float64)
        np.add.at(sums, cell, sample)
        lengths = np.linalg.norm(sums, axis=1, keepdims=True)
        centres = np.where(lengths > 0, sums / np.maximum(lengths, 1e-12), centres)
        centres = centres.astype(np.float32)
    cell = _nearest(units, centres)
    order = np.argsort(cell, kind="stable")
    starts = np.searchsorted(cell[order], np.arange(count + 1)).astype(np.int64)
    return Cells(centres, starts, default_probed(count)), order


def default_probed(cells: int) -> int:
    """Give the number of cells that are read of a file that does not say how many."""
    return max(1, cells // _PROBED)


def _nearest(units: Floats, centres: Floats) -> Ints:
    """Find the nearest centre of each row."""
    columns = np.ascontiguousarray(centres.T)
    found = [
        (units[start : start + _BLOCK] @ columns).argmax(axis=1)
        for start in range(0, len(units), _BLOCK)
    ]
    return np.concatenate(found)
