"""Changes from day to day: drifting tastes, hyped tracks, and the way people skip."""

import numpy as np
import numpy.typing as npt

from core.rng import extend_keys, keys, to_integers
from simulator.listeners.model import Floats, SessionPlan, SessionStarts
from simulator.listeners.settings import Drift, Hype, Skips
from simulator.portable_math import normals
from simulator.random_keys import Indices, Purpose
from simulator.world.world import World

_HYPE_MEMORY = 7
"""Multiple of `days` after which a hype is dropped: by then it has fallen to e**-7, below 0.1 %."""


class TasteDrift:
    """The random walks of all tastes (Ornstein and Uhlenbeck)."""

    def __init__(self, settings: Drift, world: World, seed: int) -> None:
        self._settings = settings
        self._world = world
        self._seed = seed
        self._offset: npt.NDArray[np.float32] | None = None  # (users, interests, d)

    def start_day(self, day: int) -> None:
        """Take a step of all walks."""
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

    def apply(self, starts: SessionStarts, sessions: SessionPlan) -> SessionStarts:
        """Move the tastes of sessions to today's place, at the length of their interest."""
        if self._offset is None:
            return starts
        interests = self._world.interests[sessions.listener]
        which = (interests == starts.interest[:, None]).argmax(axis=1)
        moved = starts.taste + self._offset[sessions.listener, which]
        scale = np.linalg.norm(starts.taste, axis=1) / np.maximum(
            np.linalg.norm(moved, axis=1), np.finfo(np.float64).tiny
        )
        return SessionStarts(
            starts.key, starts.interest, moved * scale[:, None], starts.first, starts.budget
        )


class HypedTracks:
    """The tracks that are hyped on a day, and how much."""

    def __init__(self, settings: Hype, world: World, seed: int) -> None:
        self._settings = settings
        self._tracks = len(world.catalog)
        self._seed = seed
        self._cached: tuple[int, Floats] = (-1, np.empty(0))

    def lift(self, day: Indices, track: npt.NDArray[np.integer]) -> Floats:
        """Return what hype adds to the inner product of each track on its day."""
        lifted = np.empty(track.shape)
        for one in np.unique(day).tolist():
            of_day = day == one
            lifted[of_day] = self._lifts(one)[track[of_day]]
        return lifted

    def _lifts(self, day: int) -> Floats:
        """Return the lift of every track on a day."""
        if self._cached[0] != day:
            settings = self._settings
            lifts = np.zeros(self._tracks)
            first = max(0, day - int(_HYPE_MEMORY * settings.days))
            for past in range(first, day + 1):
                drawn = keys(self._seed, Purpose.HYPE, past, np.arange(settings.tracks))
                lift = settings.lift * np.exp(-(day - past) / settings.days)
                np.add.at(lifts, to_integers(self._tracks, extend_keys(drawn, 0)), lift)
            self._cached = (day, lifts)
        return self._cached[1]


class SkipPoints:
    """The distribution of the point in a track at which a listener skips it.

    Attributes:
        mean: Mean share heard of a skipped track.
    """

    def __init__(self, settings: Skips) -> None:
        by = np.array([0.0, settings.by_5_s, settings.by_10_s, settings.by_30_s])
        self._cumulative = np.append(by, settings.before_end) / settings.before_end
        self._share = np.append(np.array([0.0, 5.0, 10.0, 30.0]) / settings.length_s, 1.0)
        middles = (self._share[1:] + self._share[:-1]) / 2
        self.mean = float(np.diff(self._cumulative) @ middles)

    def share_heard(self, luck: Floats) -> Floats:
        """Return the share heard of skipped tracks, by inversion of uniform numbers."""
        return np.asarray(np.interp(luck, self._cumulative, self._share))
