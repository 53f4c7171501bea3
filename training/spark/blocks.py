"""Rankings in blocks on executors: the exact code of one machine, some blocks of keys a task."""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from core.archive import Key
from core.progress import SILENT, Progress
from training.model import FittedModel, Ranker
from training.top_k import BLOCK, Ints, Rankings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

FEW = 4 * BLOCK
"""Up to so many keys the driver ranks alone: less work than to send the model."""
BLOCKS_AT_ONCE = 16
"""Blocks of keys that make one task."""


def rank_on_executors(session: "SparkSession", fitted: FittedModel) -> FittedModel:
    """Let executors make the lists of a fitted model."""
    rankers: Mapping[Key, Ranker] = {
        key: _SparkRanker(session, ranker) for key, ranker in fitted.rankers.items()
    }
    return replace(fitted, rankers=rankers)


class _SparkRanker:
    """A ranker that shares its keys out to executors; the lists are those of the given ranker."""

    def __init__(self, session: "SparkSession", ranker: Ranker) -> None:
        self._session = session
        self._ranker = ranker

    def __call__(self, keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
        if len(keys) <= FEW:
            return self._ranker(keys, k, progress)
        size = BLOCK * BLOCKS_AT_ONCE
        blocks = [keys[start : start + size] for start in range(0, len(keys), size)]
        ranked = np.empty((len(keys), k), dtype=np.int32)
        start = 0
        for block in self._ranked(blocks, k):
            ranked[start : start + len(block)] = block
            start += len(block)
            progress.advance(len(block))
        return ranked

    def _ranked(self, blocks: list[Ints], k: int) -> Iterator[Any]:
        ranker = self._ranker
        spread = self._session.sparkContext.parallelize(blocks, len(blocks))
        yield from spread.map(lambda keys: ranker(keys, k)).toLocalIterator(prefetchPartitions=True)
