"""The predecessor's listener, exactly: three tastes, patience of five, weariness of an artist.

A session is about one of the listener's interests. With d = inner product of a recommended track
and that interest, k = earlier plays of its artist in the session,

    time = round(sigmoid((d - consume_bias) * consume_sharpness) * artist_discount ** k, 2)

and 0 for a track that was played in the session before. Each recommendation costs one of the
budget with probability 1 - time. So with m the mean time of a recommendation a session has
budget / (1 - m) recommendations and budget * m / (1 - m) of time, on average (Wald's identity).
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.listeners.model import Floats, ListenBatch, SessionPlan, SessionStarts
from simulator.portable_math import exp
from simulator.random_keys import Indices, Purpose, at_step, once, session_keys, who_comes
from simulator.world.world import World


@dataclass(frozen=True, slots=True)
class BotifySettings:
    """Settings of the classic listener; defaults are the predecessor's.

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
        world: Where they live.
        nearest: int, (users, interests, neighbours), catalog indices of the tracks with the
            largest inner product with each interest, see `simulator.world.neighbours`.
        seed: What their draws are keyed by.
        settings: Theirs.
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

    def visits(self, day: int, episodes: int) -> SessionPlan:
        """Sessions day * episodes and on, of listeners drawn uniformly, with replacement."""
        numbers = np.arange(day * episodes, (day + 1) * episodes, dtype=np.int64)
        return SessionPlan(self.who(numbers), numbers, np.full(episodes, day, dtype=np.int64))

    def who(self, numbers: Indices) -> Indices:
        """Listener of each session number."""
        return who_comes(self.seed, numbers, len(self.world))

    def open(self, visits: SessionPlan) -> SessionStarts:
        """Draw what each session is about, and its first track."""
        key = session_keys(self.seed, visits.listener, visits.number)
        which = once(self.world.interests.shape[1], key, Purpose.INTEREST)
        interest = self.world.interests[visits.listener, which]
        neighbour = once(self._nearest.shape[2], key, Purpose.FIRST)
        return SessionStarts(
            key,
            interest,
            self.world.embeddings[interest].astype(np.float64),
            self._nearest[visits.listener, which, neighbour].astype(np.int64),
            np.full(len(visits), self.settings.session_budget, dtype=np.int64),
        )

    def hear(self, hearings: ListenBatch) -> Floats:
        """The formula above."""
        vectors = self.world.embeddings[hearings.track].astype(np.float64)
        liking = self.liking(np.vecdot(vectors, hearings.taste), hearings.listener)
        time: Floats = np.rint(self.discounted(liking, hearings.artist_plays) * 100) / 100
        time[hearings.repeated] = 0.0
        return time

    def spend(self, hearings: ListenBatch, time: Floats, budget: Indices) -> Indices:
        """One unit less with probability 1 - time; never below 0."""
        luck = at_step(hearings.key, Purpose.LUCK, hearings.step)
        return budget - (luck > time)

    def close(self, visits: SessionPlan, mean_time: Floats) -> None:
        """Nothing is remembered."""

    def expected(self, visits: SessionPlan, taste: Floats, tracks: Indices) -> Floats:
        """The formula above, not rounded."""
        # In float32, which ranks well enough and moves half as many bytes.
        near = taste.astype(np.float32)[:, :, None]
        dots = np.matmul(self.world.embeddings[tracks], near)[:, :, 0].astype(np.float64)
        return self.liking(dots, visits.listener[:, None])

    def liking(self, dot: Floats, listener: Indices) -> Floats:
        """Time of a track never played, by a never played artist, from its inner product.

        With an exponential of our own, so that a seed's sessions in a world of `segue world create`
        (where inner products are exact) are the same on every machine.
        """
        bias = self.world.consume_bias[listener]
        sharpness = self.world.consume_sharpness[listener]
        liking: Floats = 1.0 / (1.0 + exp((bias - dot) * sharpness))
        return liking

    def discounted(self, time: Floats, artist_plays: Indices) -> Floats:
        """Time of a track whose artist was played so often in the session."""
        plays = np.minimum(artist_plays, len(self._discounts) - 1)
        less: Floats = time * self._discounts[plays]
        return less
