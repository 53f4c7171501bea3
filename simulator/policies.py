"""Recommenders that need no server: the floor `random`, `popular`, and the ceiling `best`."""

import numpy as np
import numpy.typing as npt

from core.streams import choices, further
from simulator.draws import Indices, Purpose
from simulator.results import Arm
from simulator.stage import Stage

AROUND = 256
"""How many tracks nearest to an interest `best` chooses among."""

Tracks = npt.NDArray[np.integer]


class _Policy:
    """What the built-in policies have in common: one arm, and nothing to say at the end."""

    name: str

    def begin(self, stage: Stage, slots: Indices) -> None:
        """Nothing to prepare."""

    def end(self, stage: Stage, slots: Indices) -> list[Arm]:
        """The policy is the only arm."""
        return [Arm("", self.name)] * len(slots)


class Random(_Policy):
    """Uniform over the catalog."""

    name = "random"

    def recommend(self, stage: Stage, slots: Indices) -> Tracks:
        """One track for each slot."""
        tracks = len(stage.listeners.world.catalog)
        return choices(tracks, _keys(stage, slots))


class Popular(_Policy):
    """Uniform over the head of the popularity list, as the strategy type `top_pop` plays.

    Args:
        top: int, (popular,), catalog indices, most popular first.
        most: How many of them.
    """

    name = "popular"

    def __init__(self, top: Tracks, most: int = 100) -> None:
        self._top = top[:most]

    def recommend(self, stage: Stage, slots: Indices) -> Tracks:
        """One track for each slot."""
        return self._top[choices(len(self._top), _keys(stage, slots))]


class Best(_Policy):
    """Knows the taste, and plays what the listener is expected to hear longest at this step.

    That counts the weariness of artists played before, and never repeats a track. Works with any
    model of listeners; candidates are the tracks nearest to the session's interest.

    Args:
        nearest: int, (users, interests, k), catalog indices, see `simulator.nearest`.
        slots: Sessions under way at once.
    """

    name = "best"

    def __init__(self, nearest: npt.NDArray[np.integer], slots: int) -> None:
        k = nearest.shape[2]
        self._nearest = nearest
        self._tracks = np.zeros((slots, k), dtype=np.int32)
        self._artists = np.zeros((slots, k), dtype=np.int32)
        self._worth = np.zeros((slots, k), dtype=np.float32)

    def begin(self, stage: Stage, slots: Indices) -> None:
        """Look at what each session is about."""
        visits = stage.visits(slots)
        interests = stage.listeners.world.interests[visits.listener]
        which = (interests == stage.interest[slots, None]).argmax(axis=1)
        tracks = self._nearest[visits.listener, which]
        self._tracks[slots] = tracks
        self._artists[slots] = stage.listeners.world.catalog.artist_of[tracks]
        self._worth[slots] = stage.listeners.expected(visits, stage.taste[slots], tracks)
        self._play(stage, slots, stage.track[slots])

    def recommend(self, stage: Stage, slots: Indices) -> Tracks:
        """The best track for each slot."""
        best = self._worth[slots].argmax(axis=1)
        tracks: Tracks = self._tracks[slots, best]
        self._play(stage, slots, tracks)
        return tracks

    def _play(self, stage: Stage, slots: Indices, tracks: Tracks) -> None:
        """Take a track out, and make its artist worth less."""
        artists = stage.listeners.world.catalog.artist_of[tracks]
        worth = self._worth[slots]
        worth[self._artists[slots] == artists[:, None]] *= stage.listeners.artist_discount
        worth[self._tracks[slots] == tracks[:, None]] = 0.0
        self._worth[slots] = worth


def _keys(stage: Stage, slots: Indices) -> npt.NDArray[np.uint64]:
    return further(stage.key[slots], int(Purpose.POLICY), stage.steps[slots] + 1)
