"""Recommenders that need no server and know nothing: the floor `random`, and `popular`."""

import numpy as np
import numpy.typing as npt

from core.rng import extend_keys, to_integers
from simulator.play.session_batch import SessionBatch
from simulator.play.session_table import Arm
from simulator.random_keys import Indices, Purpose

Tracks = npt.NDArray[np.integer]


class Policy:
    """What the built-in policies have in common: one arm, and nothing to say at the end."""

    name: str

    def begin(self, stage: SessionBatch, slots: Indices) -> None:
        """Nothing to prepare."""

    def end(self, stage: SessionBatch, slots: Indices) -> list[Arm]:
        """The policy is the only arm."""
        return [Arm("", self.name)] * len(slots)


class RandomTracks(Policy):
    """Uniform over the catalog."""

    name = "random"

    def recommend(self, stage: SessionBatch, slots: Indices) -> Tracks:
        """One track for each slot."""
        tracks = len(stage.listeners.world.catalog)
        return to_integers(tracks, _keys(stage, slots))


class PopularTracks(Policy):
    """Uniform over the head of the popularity list, as the strategy type `top_pop` plays.

    Args:
        top: int, (popular,), catalog indices, most popular first.
        most: How many of them.
    """

    name = "popular"

    def __init__(self, top: Tracks, most: int = 100) -> None:
        self._top = top[:most]

    def recommend(self, stage: SessionBatch, slots: Indices) -> Tracks:
        """One track for each slot."""
        return self._top[to_integers(len(self._top), _keys(stage, slots))]


def _keys(stage: SessionBatch, slots: Indices) -> npt.NDArray[np.uint64]:
    return extend_keys(stage.key[slots], int(Purpose.POLICY), stage.steps[slots] + 1)
