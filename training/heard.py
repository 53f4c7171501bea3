"""Heard tracks: rankings with what a listener heard left out."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

import numpy as np
import numpy.typing as npt

from core.archive import Key
from core.progress import SILENT, Progress
from training.interactions import Interactions
from training.model import FittedModel, Ranker
from training.top_k import NONE, Ints, Rankings

Heard = Literal["in", "out"]
"""A choice: lists and rankings have the tracks that a listener heard before, or leave them out."""

_AT_ONCE = 1 << 12


class HeardTracks:
    """Tracks that each listener of a log heard, for however long."""

    def __init__(self, log: Interactions) -> None:
        self._tracks = len(log.catalog)
        pairs = np.unique(log.user.astype(np.int64) * self._tracks + log.track)
        self._pairs = pairs
        self._count = np.bincount(pairs // self._tracks, minlength=len(log.users))

    def has(self, users: Ints, tracks: Ints) -> npt.NDArray[np.bool_]:
        """Say whether each user heard each track; both broadcast. False for `NONE`."""
        pairs = np.asarray(users, dtype=np.int64) * self._tracks + tracks
        places = np.searchsorted(self._pairs, pairs).clip(max=max(0, len(self._pairs) - 1))
        if not len(self._pairs):
            return np.zeros(pairs.shape, dtype=bool)
        found: npt.NDArray[np.bool_] = (self._pairs[places] == pairs) & (tracks != NONE)
        return found

    def fresh(self, ranker: Ranker, keys: Ints, users: Ints, k: int) -> Rankings:
        """Rank the `k` best tracks of each key that its user did not hear.

        The rankings asked for are longer by what the user heard, in groups of similar length, so
        that one listener of thousands of tracks costs the others nothing.
        """
        ranked = np.full((len(keys), k), NONE, dtype=np.int32)
        extra = self._count[users]
        room = np.minimum(k + (1 << np.ceil(np.log2(extra + 1)).astype(np.int64)), self._tracks)
        for length in np.unique(room):
            rows = np.flatnonzero(room == length)
            for start in range(0, len(rows), _AT_ONCE):
                part = rows[start : start + _AT_ONCE]
                wanted, place = np.unique(keys[part], return_inverse=True)
                longer = ranker(wanted, int(length))[place]
                longer[self.has(users[part, None], longer)] = NONE
                ranked[part] = _to_the_left(longer, k)
        return ranked


def without_heard(fitted: FittedModel, heard: HeardTracks) -> FittedModel:
    """Make the model whose lists by listener leave out what the listener heard."""
    if "user" not in fitted.rankers:
        return fitted
    plain = fitted.rankers["user"]

    def by_user(keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
        ranked = heard.fresh(plain, keys, keys, k)
        progress.advance(len(keys))
        return ranked

    rankers: Mapping[Key, Ranker] = {**fitted.rankers, "user": by_user}
    return replace(fitted, rankers=rankers)


def _to_the_left(ranked: Rankings, k: int) -> Rankings:
    """Close the gaps in each row, and keep the first `k` places."""
    order = np.argsort(ranked == NONE, axis=1, kind="stable")[:, :k]
    closed: Rankings = np.take_along_axis(ranked, order, axis=1)
    if closed.shape[1] < k:
        closed = np.pad(closed, ((0, 0), (0, k - closed.shape[1])), constant_values=NONE)
    return closed
