"""Cells: rows of a large vector file in groups of one direction; a search reads few of them.

An inverted file over k-means (IVF). The file has its rows in the order of the cells, and the cells'
centres, so the search is the same wherever the file is: replay needs no index of its own.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Ints = npt.NDArray[np.int64]

CELLS_FROM = 20_000
"""Rows from which a file has cells. Below, one product with all rows is as fast, and exact."""
_SAMPLE = 50_000
_ROUNDS = 8
_BLOCK = 4096
_PROBED = 16
"""One in so many cells is read. At 50,000 rows that is 16 cells of 256."""


@dataclass(frozen=True, slots=True)
class Cells:
    """Groups of neighbouring rows.

    Attributes:
        centres: float32, (cells, d), the mean direction of each cell.
        starts: int64, (cells + 1,), the first row of each cell, and the number of rows.
    """

    centres: Floats
    starts: Ints

    def ranges_near(self, query: Floats) -> list[tuple[int, int]]:
        """Give the rows of the cells whose centres are nearest to a query, as (from, to)."""
        # einsum and not a matrix product: its last bits are the same on every machine.
        products = np.einsum("ij,j->i", self.centres, query)
        most = max(1, len(self.centres) // _PROBED)
        near = np.sort(np.argsort(-products, kind="stable")[:most])
        starts = self.starts
        return list(zip(starts[near].tolist(), starts[near + 1].tolist(), strict=True))


def make_cells(units: Floats, seed: int = 1) -> tuple[Cells, Ints]:
    """Group rows by direction: spherical k-means on a sample.

    Args:
        units: float32, (rows, d), of unit length or zero.
        seed: Seed of the first centres.

    Returns:
        The cells, and the order of the rows in them: int64, (rows,).
    """
    rng = np.random.default_rng(seed)
    count = max(1, round(1.15 * np.sqrt(len(units))))
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
    return Cells(centres, starts), order


def _nearest(units: Floats, centres: Floats) -> Ints:
    """Find the nearest centre of each row."""
    columns = np.ascontiguousarray(centres.T)
    found = [
        (units[start : start + _BLOCK] @ columns).argmax(axis=1)
        for start in range(0, len(units), _BLOCK)
    ]
    return np.concatenate(found)


def rows_of(ranges: Sequence[tuple[int, int]]) -> Ints:
    """Give the rows of ranges, in order."""
    return np.concatenate([np.arange(start, end) for start, end in ranges])
