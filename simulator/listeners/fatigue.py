"""Fatigue: the last plays of each listener, and how much they take off the next play."""

import numpy as np
import numpy.typing as npt

from core.rng import Words
from simulator.listeners.model import Floats
from simulator.listeners.settings import Fatigue
from simulator.random_keys import Indices


class RecentPlays:
    """The last plays of each listener, and the fatigue that is left of them.

    Args:
        listeners: Number of listeners.
        artist_of: int, (tracks,).
        settings: Strength and decay of fatigue, and how many plays are remembered.
    """

    def __init__(self, listeners: int, artist_of: npt.NDArray[np.integer], settings: Fatigue):
        self._artist_of = artist_of
        self._settings = settings
        shape = (listeners, settings.memory)
        self._track = np.full(shape, -1, dtype=np.int32)
        self._artist = np.full(shape, -1, dtype=np.int32)
        self._day = np.zeros(shape, dtype=np.int32)
        self._time = np.zeros(shape, dtype=np.float32)
        self._session = np.zeros(shape, dtype=np.uint64)
        self._count = np.zeros(listeners, dtype=np.int64)

    def record(
        self, listener: Indices, session: Words, day: Indices, track: Indices, time: Floats
    ) -> None:
        """Record one play of each of some listeners; no listener may occur twice."""
        at = self._count[listener] % self._settings.memory
        self._track[listener, at] = track
        self._artist[listener, at] = self._artist_of[track]
        self._day[listener, at] = day
        self._time[listener, at] = time
        self._session[listener, at] = session
        self._count[listener] += 1

    def remaining_share(
        self, listener: Indices, session: Words, day: Indices, track: npt.NDArray[np.integer]
    ) -> Floats:
        """Return the share of the time heard that fatigue leaves: the shape of `track`.

        Args:
            listener: (n,).
            session: (n,), keys; plays of this session do not count.
            day: (n,).
            track: Catalog indices, (n,) or (n, k).
        """
        remaining = np.ones(track.shape)
        artist = self._artist_of[track]
        if track.ndim == 1:
            row, play = np.nonzero(self._artist[listener] == artist[:, None])
            loss = self._loss(listener[row], play, session[row], day[row], track[row])
            np.multiply.at(remaining, row, 1 - loss)
            return remaining
        known = int(self._count[listener].max(initial=0))
        for nth in range(min(known, self._settings.memory)):
            # Few remembered plays are by an artist of these tracks, so few cells remain from here.
            row, column = np.nonzero(self._artist[listener, nth][:, None] == artist)
            play = np.full(len(row), nth)
            loss = self._loss(listener[row], play, session[row], day[row], track[row, column])
            remaining[row, column] *= 1 - loss
        return remaining

    def _loss(
        self,
        listener: Indices,
        play: Indices,
        session: Words,
        day: Indices,
        track: npt.NDArray[np.integer],
    ) -> Floats:
        """Return the share that remembered plays of the same artist take off these tracks."""
        settings = self._settings
        age = day - self._day[listener, play]
        loss = np.where(
            self._track[listener, play] == track,
            settings.track * np.exp(-age / settings.track_days),
            settings.artist * np.exp(-age / settings.artist_days),
        )
        is_earlier = self._session[listener, play] != session
        total: Floats = loss * self._time[listener, play] * is_earlier
        return total
