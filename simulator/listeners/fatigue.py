"""What listeners are weary of: the last plays of each, and how much they take off the next one."""

import numpy as np
import numpy.typing as npt

from core.rng import Words
from simulator.listeners.model import Floats
from simulator.listeners.settings import Weariness
from simulator.random_keys import Indices


class RecentPlays:
    """The last plays of each listener, and the weariness that is left of them.

    Args:
        listeners: How many, a count.
        artist_of: int, (tracks,).
        settings: How weary plays make, and how many are remembered.
    """

    def __init__(
        self, listeners: int, artist_of: npt.NDArray[np.integer], settings: Weariness
    ) -> None:
        self._artist_of = artist_of
        self._settings = settings
        shape = (listeners, settings.memory)
        self._track = np.full(shape, -1, dtype=np.int32)
        self._artist = np.full(shape, -1, dtype=np.int32)
        self._day = np.zeros(shape, dtype=np.int32)
        self._time = np.zeros(shape, dtype=np.float32)
        self._session = np.zeros(shape, dtype=np.uint64)
        self._count = np.zeros(listeners, dtype=np.int64)

    def remember(
        self, listener: Indices, session: Words, day: Indices, track: Indices, time: Floats
    ) -> None:
        """A play of each of some listeners, each listener at most once."""
        at = self._count[listener] % self._settings.memory
        self._track[listener, at] = track
        self._artist[listener, at] = self._artist_of[track]
        self._day[listener, at] = day
        self._time[listener, at] = time
        self._session[listener, at] = session
        self._count[listener] += 1

    def left(
        self, listener: Indices, session: Words, day: Indices, track: npt.NDArray[np.integer]
    ) -> Floats:
        """Share of the time heard that plays of earlier sessions leave: the shape of `track`.

        Args:
            listener: (n,).
            session: (n,), keys; plays of this session do not count.
            day: (n,).
            track: Catalog indices, (n,) or (n, k).
        """
        left = np.ones(track.shape)
        artist = self._artist_of[track]
        if track.ndim == 1:
            row, play = np.nonzero(self._artist[listener] == artist[:, None])
            loss = self._loss(listener[row], play, session[row], day[row], track[row])
            np.multiply.at(left, row, 1 - loss)
            return left
        known = int(self._count[listener].max(initial=0))
        for nth in range(min(known, self._settings.memory)):
            # Few plays are by an artist that is asked for, so what follows is about few cells.
            row, column = np.nonzero(self._artist[listener, nth][:, None] == artist)
            one = np.full(len(row), nth)
            asked = track[row, column]
            left[row, column] *= 1 - self._loss(listener[row], one, session[row], day[row], asked)
        return left

    def _loss(
        self,
        listener: Indices,
        play: Indices,
        session: Words,
        day: Indices,
        track: npt.NDArray[np.integer],
    ) -> Floats:
        """What remembered plays of the same artist take off these tracks: a share."""
        settings = self._settings
        age = day - self._day[listener, play]
        loss = np.where(
            self._track[listener, play] == track,
            settings.track * np.exp(-age / settings.track_days),
            settings.artist * np.exp(-age / settings.artist_days),
        )
        before = self._session[listener, play] != session
        taken: Floats = loss * self._time[listener, play] * before
        return taken
