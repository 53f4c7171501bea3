"""Indexes of vector files: makes one, and measures what share of the nearest tracks it finds."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from core.catalog import Catalog
from core.nearest import Floats
from core.vector_cells import make_cells
from core.vector_graph import Graph
from core.vectors import Index, Vectors

Way = Literal["auto", "exact", "cells", "graph"]
"""The way of a search to the nearest rows: a product with each, cells, or a graph."""

OF_INDEX = ("index", "probed", "expansion", "recall")
"""Entries that an index adds to the manifest."""
INDEXED_FROM = 20_000
"""Rows from which `auto` makes cells. Below, one product with all rows is as fast, and exact."""
ENOUGH = 0.95
"""Recall of 200 at which a search looks no further."""
_QUERIES = 200
_DENSITIES = (1.15, 2.3)
"""Numbers of cells that are tried, by the root of the rows. Many small cells suit rows that stand
in many close groups: of 50,000 such rows a search reads 1,600 instead of 3,200."""
_ROWS_A_CALL = 100
"""To begin with a cell costs as much time as the products with so many rows."""
_PROBED = (8, 12, 16, 20, 24, 32, 40, 48, 64, 80)
_LEAST_UNREAD = 6
"""A search reads one cell in six at most: more of them cost as much as all rows."""
_EXPANSIONS = (256, 384, 512, 768)


@dataclass(frozen=True, slots=True)
class MadeIndex:
    """An index for a file.

    Attributes:
        order: int64, (rows,), the order in which the file must have the rows.
        arrays: What the file has of it.
        facts: Entries for the manifest: the way, how far a search looks, and its recall.
    """

    order: npt.NDArray[np.int64]
    arrays: dict[str, npt.NDArray[Any]]
    facts: dict[str, Any]


def make_index(units: Floats, catalog: Catalog, way: Way) -> MadeIndex | None:
    """Make an index whose search looks just far enough; None if none is wanted.

    Args:
        units: float32, (rows, d), directions by track.
        catalog: A catalog with at least so many tracks.
        way: The way; `auto` takes cells from 20,000 rows on.
    """
    if way == "exact" or (way == "auto" and len(units) < INDEXED_FROM):
        return None
    if way == "graph":
        graph = Graph.of(units, _EXPANSIONS[0])
        looked, recall = _just_enough(units, catalog, _EXPANSIONS, graph.looking_at)
        facts = {"index": "graph", "expansion": looked, "recall": recall}
        return MadeIndex(np.arange(len(units)), {"graph": graph.content()}, facts)
    made = [_in_cells(units, catalog, density) for density in _DENSITIES]
    return min(made, key=lambda each: (-min(each[0], ENOUGH), each[1]))[2]


def _in_cells(units: Floats, catalog: Catalog, density: float) -> tuple[float, float, MadeIndex]:
    """Give the recall of 200 in cells of this density, what a search costs, and the index."""
    cells, order = make_cells(units, density)
    count = len(cells.centres)
    most = max(1, count // _LEAST_UNREAD)
    probed = [each for each in _PROBED if each < most] + [most]
    looked, recall = _just_enough(
        units[order], catalog, probed, lambda each: replace(cells, probed=each)
    )
    cost = count + looked * (len(units) / count + _ROWS_A_CALL)
    facts = {"index": "cells", "probed": looked, "recall": recall}
    made = MadeIndex(order, {"centres": cells.centres.ravel(), "cells": cells.starts}, facts)
    return recall["of 200"], cost, made


def _just_enough(
    units: Floats, catalog: Catalog, tried: Sequence[int], looking_at: Callable[[int], Index]
) -> tuple[int, dict[str, float]]:
    """Give the first search that finds enough, or else the last one, and what it finds."""
    lengths = np.ones(len(units), dtype=np.float32)
    rows = range(len(units))
    exact = Vectors("track", rows, units, catalog, {}, "", None, lengths)
    queries = _queries(units)
    nearest = [rows_found for rows_found, _ in exact.near_all(queries, 200, [()] * len(queries))]
    for looked in tried:
        by_index = Vectors("track", rows, units, catalog, {}, "", looking_at(looked), lengths)
        found = [by_index.near(query, 200)[0] for query in queries]
        recall = {f"of {k}": round(_share(nearest, found, k), 4) for k in (10, 200)}
        if recall["of 200"] >= ENOUGH:
            break
    return looked, recall


def _share(
    nearest: list[npt.NDArray[np.int32]], found: list[npt.NDArray[np.int32]], k: int
) -> float:
    hits = [len(np.intersect1d(one[:k], two[:k])) for one, two in zip(nearest, found, strict=True)]
    return sum(hits) / sum(len(each[:k]) for each in nearest)


def _queries(units: Floats) -> Floats:
    """Make queries as sessions are: a track, and half of a second one from anywhere."""
    step = max(1, len(units) // _QUERIES)
    first = units[::step]
    second = units[np.random.default_rng(1).permutation(len(units))[: len(first)]]
    made: Floats = (first + np.float32(0.5) * second).astype(np.float32)
    return made
