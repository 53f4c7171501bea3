"""Botify's listener, exactly: three tastes, a patience of five skips, fatigue of an artist.

A session is about one of the listener's interests. With d = inner product of a recommended track
and that interest, k = earlier plays of its artist in the session,

    time = round(sigmoid((d - consume_bias) * consume_sharpness) * artist_discount ** k, 2)

and 0 for a track that was played in the session before. Each recommendation takes one unit of the
budget with probability 1 - time. So with m the mean time of a recommendation a session has
budget / (1 - m) recommendations and budget * m / (1 - m) of time, on average (Wald's identity).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.listeners.model import Floats, ListenBatch, SessionPlan, SessionStarts
from simulator.portable_math import exp
from simulator.random_keys import (
    Indices,
    Purpose,
    draw_at_step,
    draw_listeners,
    draw_once,
    session_keys,
)
from simulator.world.world import World


@dataclass(frozen=True, slots=True)
class BotifySettings:
    """Settings of botify's listener; the defaults are botify's.

    Attributes:
        interest_neighbours: The first track is one of so many nearest to the interest, a count.
        session_budget: Skips that end a session, a count.
        artist_discount: Factor on the time heard for each earlier play of the artist, in (0, 1].
    """

    interest_neighbours: int = 10
    session_budget: int = 5
    artist_discount: float = 0.8


class BotifyListeners:
    """Listeners that remember nothing between sessions.

    Args:
        world: The world of the listeners.
        nearest: int, (users, interests, neighbours), catalog indices of the tracks with the
            largest inner product with each interest, see `simulator.world.neighbours`.
        seed: Seed of all draws.
        settings: Settings of the model; botify's if left out.
    """

    def __init__(
        self,
        world: World,
        nearest: npt.NDArray[np.integer],
        seed: int,
        settings: BotifySettings | None = None,
    ) -> None:
        self.world = world
        self.seed = seed
        self.settings = settings or BotifySettings()
        self.artist_discount = self.settings.artist_discount
        self._nearest = nearest
        # One table, so that a power is the same number wherever it is needed.
        self._discounts = np.array([self.artist_discount**k for k in range(1024)])

    def plan_day(self, day: int, episodes: int) -> SessionPlan:
        """Plan `episodes` sessions of listeners drawn uniformly, with replacement."""
        numbers = np.arange(day * episodes, (day + 1) * episodes, dtype=np.int64)
        return SessionPlan(
            self.listeners_of(numbers), numbers, np.full(episodes, day, dtype=np.int64)
        )

    def listeners_of(self, numbers: Indices) -> Indices:
        """Return the listener of each session number."""
        return draw_listeners(self.seed, numbers, len(self.world))

    def start(self, sessions: SessionPlan) -> SessionStarts:
        """Draw the interest of each session, and its first track."""
        key = session_keys(self.seed, sessions.listener, sessions.number)
        which = draw_once(self.world.interests.shape[1], key, Purpose.INTEREST)
        interest = self.world.interests[sessions.listener, which]
        neighbour = draw_once(self._nearest.shape[2], key, Purpose.FIRST)
        return SessionStarts(
            key,
            interest,
            self.world.embeddings[interest].astype(np.float64),
            self._nearest[sessions.listener, which, neighbour].astype(np.int64),
            np.full(len(sessions), self.settings.session_budget, dtype=np.int64),
        )

    def listen(self, listens: ListenBatch) -> Floats:
        """Apply the formula of this module."""
        vectors = self.world.embeddings[listens.track].astype(np.float64)
        liking = self.liking(np.vecdot(vectors, listens.taste), listens.listener)
        time: Floats = np.rint(self.discount(liking, listens.artist_plays) * 100) / 100
        time[listens.repeated] = 0.0
        return time

    def spend(self, listens: ListenBatch, time: Floats, budget: Indices) -> Indices:
        """Take one unit of a budget with probability 1 - time."""
        luck = draw_at_step(listens.key, Purpose.LUCK, listens.step)
        return budget - (luck > time)

    def end(self, sessions: SessionPlan, mean_time: Floats) -> None:
        """Remember nothing."""

    def expected_time(self, sessions: SessionPlan, taste: Floats, tracks: Indices) -> Floats:
        """Apply the formula of this module, without rounding."""
        # In float32, which ranks well enough and moves half as many bytes.
        near = taste.astype(np.float32)[:, :, None]
        dots = np.matmul(self.world.embeddings[tracks], near)[:, :, 0].astype(np.float64)
        return self.liking(dots, sessions.listener[:, None])

    def liking(self, dot: Floats, listener: Indices) -> Floats:
        """Return the time of an unplayed track by an unplayed artist, from its inner product.

        It uses our own exponential, so that a seed's sessions in a world of `segue world create`
        (where inner products are exact) are the same on every machine.
        """
        bias = self.world.consume_bias[listener]
        sharpness = self.world.consume_sharpness[listener]
        liking: Floats = 1.0 / (1.0 + exp((bias - dot) * sharpness))
        return liking

    def discount(self, time: Floats, artist_plays: Indices) -> Floats:
        """Reduce the time of tracks by the earlier plays of their artists in the session."""
        plays = np.minimum(artist_plays, len(self._discounts) - 1)
        discounted: Floats = time * self._discounts[plays]
        return discounted
