"""What changes a listener's mind from day to day: tastes that drift, hype, and how people skip."""

import numpy as np
import numpy.typing as npt

from core.rng import extend_keys, keys, to_integers
from simulator.listeners.model import Floats, SessionPlan, SessionStarts
from simulator.listeners.settings import Drift, Hype, Skips
from simulator.portable_math import normals
from simulator.random_keys import Indices, Purpose
from simulator.world.world import World

_HYPED_FOR = 7  # times `days`, after which a hype is forgotten


class TasteDrift:
    """Where tastes have drifted to."""

    def __init__(self, settings: Drift, world: World, seed: int) -> None:
        self._settings = settings
        self._world = world
        self._seed = seed
        self._offset: npt.NDArray[np.float32] | None = None  # (users, interests, d)

    def night(self, day: int) -> None:
        """A step of all walks."""
        interests = self._world.interests
        vectors = self._world.embeddings[interests]
        lengths = np.linalg.norm(vectors, axis=2, keepdims=True) / np.sqrt(vectors.shape[2])
        listener, which = np.ogrid[: interests.shape[0], : interests.shape[1]]
        axis = np.arange(vectors.shape[2])
        noise = normals(self._seed, Purpose.DRIFT, day, listener[..., None], which[..., None], axis)
        kept = np.exp(-1 / self._settings.days)
        step = np.sqrt(1 - kept**2) * self._settings.spread * lengths * noise
        before = np.float32(0) if self._offset is None else self._offset
        self._offset = (kept * before + step).astype(np.float32)

    def moved(self, opened: SessionStarts, visits: SessionPlan) -> SessionStarts:
        """The same with the tastes where they are today."""
        if self._offset is None:
            return opened
        interests = self._world.interests[visits.listener]
        which = (interests == opened.interest[:, None]).argmax(axis=1)
        moved = opened.taste + self._offset[visits.listener, which]
        length = np.linalg.norm(opened.taste, axis=1) / np.maximum(
            np.linalg.norm(moved, axis=1), np.finfo(np.float64).tiny
        )
        return SessionStarts(
            opened.key, opened.interest, moved * length[:, None], opened.first, opened.budget
        )


class HypedArtists:
    """What is in the air on a day."""

    def __init__(self, settings: Hype, world: World, seed: int) -> None:
        self._settings = settings
        self._tracks = len(world.catalog)
        self._seed = seed
        self._of_day: tuple[int, Floats] = (-1, np.empty(0))

    def lift(self, day: Indices, track: npt.NDArray[np.integer]) -> Floats:
        """What is added to the inner product of each track on its day."""
        lifted = np.empty(track.shape)
        for one in np.unique(day).tolist():
            of_day = day == one
            lifted[of_day] = self._on(one)[track[of_day]]
        return lifted

    def _on(self, day: int) -> Floats:
        if self._of_day[0] != day:
            settings = self._settings
            lifts = np.zeros(self._tracks)
            first = max(0, day - int(_HYPED_FOR * settings.days))
            for past in range(first, day + 1):
                drawn = keys(self._seed, Purpose.HYPE, past, np.arange(settings.tracks))
                lift = settings.lift * np.exp(-(day - past) / settings.days)
                np.add.at(lifts, to_integers(self._tracks, extend_keys(drawn, 0)), lift)
            self._of_day = (day, lifts)
        return self._of_day[1]


class SkipPoints:
    """Where in a track a skip comes.

    Attributes:
        mean: Mean share heard of a skipped track.
    """

    def __init__(self, settings: Skips) -> None:
        by = np.array([0.0, settings.by_5_s, settings.by_10_s, settings.by_30_s])
        self._reached = np.append(by, settings.before_end) / settings.before_end
        self._share = np.append(np.array([0.0, 5.0, 10.0, 30.0]) / settings.length_s, 1.0)
        middles = (self._share[1:] + self._share[:-1]) / 2
        self.mean = float(np.diff(self._reached) @ middles)

    def shares(self, luck: Floats) -> Floats:
        """Share heard of each skipped track."""
        return np.asarray(np.interp(luck, self._reached, self._share))
