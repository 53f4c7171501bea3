"""A graph over the rows of a vector file (HNSW), by the library `usearch` of the extra `vectors`.

Its numbers are whole, of 8 bits. So its sums have no rounding, and every machine walks the graph
alike: replay finds the same tracks. What it finds is ranked by the exact directions.
"""

from typing import Any, Self

import numpy as np
import numpy.typing as npt

from core.nearest import Floats, Groups, Places

_LARGEST = 127
_CONNECTIVITY, _EXPANSION_ADD = 16, 128
_MORE = 4
"""A quarter more rows are asked for than are wanted: rounding to 8 bits puts rows out of order."""


class Graph:
    """A graph of neighbouring rows.

    Args:
        library: The graph as the library has it.
        expansion: Number of rows that a search keeps in view; more of them find more.
    """

    def __init__(self, library: Any, expansion: int) -> None:
        self._library = library
        library.expansion_search = expansion

    @classmethod
    def of(cls, units: Floats, expansion: int) -> Self:
        """Make a graph; the same rows make the same one."""
        from usearch.index import Index

        library = Index(
            ndim=units.shape[1],
            metric="ip",
            dtype="i8",
            connectivity=_CONNECTIVITY,
            expansion_add=_EXPANSION_ADD,
        )
        scale = _LARGEST / max(float(np.abs(units).max()), 1e-12)
        whole = np.rint(units * np.float32(scale)).astype(np.int8)
        # One thread: more of them add the rows in an order that differs from run to run.
        library.add(np.arange(len(units), dtype=np.uint64), whole, threads=1)
        return cls(library, expansion)

    @classmethod
    def over(cls, content: npt.NDArray[np.uint8], expansion: int) -> Self:
        """Give the graph of these bytes, which stay where they are: processes share them."""
        from usearch.index import Index

        return cls(Index.restore(content.data, view=True), expansion)

    def __len__(self) -> int:
        return len(self._library)

    @property
    def dimensions(self) -> int:
        """Length of a vector, a count of numbers."""
        return int(self._library.ndim)

    def looking_at(self, expansion: int) -> Self:
        """Give the same graph, whose search keeps so many rows in view from now on."""
        return type(self)(self._library, expansion)

    def content(self) -> npt.NDArray[np.uint8]:
        """Give the bytes of the graph."""
        return np.frombuffer(bytes(self._library.save()), dtype=np.uint8)

    def rows_near(self, units: Floats, query: Floats, k: int, within: float) -> Places:
        """Give rows, in order, that are near a query, k of them and some more."""
        scale = np.float32(_LARGEST) / max(np.abs(query).max(), np.float32(1e-12))
        whole = np.rint(query * scale).astype(np.int8)
        wanted = min(len(units), k + k // _MORE)
        found = self._library.search(whole, wanted, threads=1).keys
        return np.sort(found.astype(np.intp))

    def rows_near_each(
        self, units: Floats, queries: Floats, wanted: list[int], within: Floats
    ) -> Groups:
        """Do the same for each query by itself: how many it wants decides what a walk finds."""
        asked = zip(queries, wanted, within.tolist(), strict=True)
        return Groups.of([self.rows_near(units, *each) for each in asked])
