"""Baselines, which need no server: `random`, the floor, and `popular`."""

import numpy as np
import numpy.typing as npt

from core.rng import extend_keys, to_integers
from simulator.play.session_batch import SessionBatch
from simulator.play.session_table import Arm
from simulator.random_keys import Indices, Purpose

Tracks = npt.NDArray[np.integer]


class Policy:
    """Base of the built-in policies: each is one arm and ignores the end of a session."""

    name: str

    def begin(self, batch: SessionBatch, slots: Indices) -> None:
        """Prepare nothing."""

    def end(self, batch: SessionBatch, slots: Indices) -> list[Arm]:
        """Return the policy as the only arm."""
        return [Arm("", self.name)] * len(slots)


class RandomTracks(Policy):
    """Uniform over the catalog."""

    name = "random"

    def recommend(self, batch: SessionBatch, slots: Indices) -> Tracks:
        """Draw a track for each slot."""
        tracks = len(batch.listeners.world.catalog)
        return to_integers(tracks, _keys(batch, slots))


class PopularTracks(Policy):
    """Uniform over the head of the popularity list, as the strategy type `top_pop` plays.

    Args:
        top: int, (popular,), catalog indices, most popular first.
        most: Length of the head, a count.
    """

    name = "popular"

    def __init__(self, top: Tracks, most: int = 100) -> None:
        self._top = top[:most]

    def recommend(self, batch: SessionBatch, slots: Indices) -> Tracks:
        """Draw a track for each slot."""
        return self._top[to_integers(len(self._top), _keys(batch, slots))]


def _keys(batch: SessionBatch, slots: Indices) -> npt.NDArray[np.uint64]:
    return extend_keys(batch.key[slots], int(Purpose.POLICY), batch.steps[slots] + 1)
