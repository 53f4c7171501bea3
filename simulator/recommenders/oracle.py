"""Oracle recommender: it reads the true tastes, an upper bound for every policy."""

import numpy as np
import numpy.typing as npt

from simulator.listeners.model import Floats
from simulator.play.session_batch import SessionBatch
from simulator.random_keys import Indices
from simulator.recommenders.baselines import Policy

CANDIDATES = 256
"""Tracks among which the oracle chooses: so many nearest to an interest."""


class Oracle(Policy):
    """Plays the track with the greatest expected time at this step.

    The expectation counts the fatigue of artists played before. The oracle repeats no track while
    any is left. It chooses among the tracks nearest to the session's interest, which contain the
    best track as long as one of them is by an artist not played yet.

    A step does not scan all candidates. They are sorted by their time without fatigue, one row per
    artist. So among the artists not played, the best track is the head of the next row. In the row
    of an artist played before, only the next track can be the best, and its value is kept.

    Args:
        nearest: int, (users, interests, k), catalog indices, see `simulator.world.neighbours`.
        slots: Sessions under way at once.
    """

    name = "oracle"

    def __init__(self, nearest: npt.NDArray[np.integer], slots: int) -> None:
        k = self._k = nearest.shape[2]
        self._nearest = nearest
        # By slot and place, best first; the place k stands for no track.
        self._tracks = np.zeros((slots, k + 1), dtype=np.int32)
        self._worth = np.full((slots, k + 1), -1.0, dtype=np.float32)
        self._next = np.full((slots, k + 1), k, dtype=np.int16)
        self._heads = np.full((slots, k + 1), k, dtype=np.int16)
        # By slot and artist played, in the order of first plays.
        self._place = np.full((slots, 8), k, dtype=np.int16)
        self._value = np.full((slots, 8), -1.0, dtype=np.float32)
        self._plays = np.zeros((slots, 8), dtype=np.int16)
        self._factors: Floats | None = None
        self._artists = np.zeros(slots, dtype=np.int64)
        self._next_head = np.zeros(slots, dtype=np.int64)

    def begin(self, batch: SessionBatch, slots: Indices) -> None:
        """Sort the candidates of each session."""
        k, rows = self._k, np.arange(len(slots))[:, None]
        sessions = batch.sessions(slots)
        interests = batch.listeners.world.interests[sessions.listener]
        which = (interests == batch.interest[slots, None]).argmax(axis=1)
        tracks = self._nearest[sessions.listener, which]
        worth = batch.listeners.expected_time(sessions, batch.taste[slots], tracks)
        worth[tracks == batch.track[slots, None]] = -1.0  # the first track has played already
        order = np.argsort(-worth, axis=1, kind="stable")
        tracks, worth = tracks[rows, order], worth[rows, order]
        artist_of = batch.listeners.world.catalog.artist_of
        artists = artist_of[tracks]
        is_played = artists == artist_of[batch.track[slots]][:, None]
        following, is_head = _artist_rows(artists)
        self._tracks[slots, :k] = tracks
        self._tracks[slots, k] = tracks[:, 0]
        self._worth[slots, :k] = worth
        self._next[slots, :k] = following
        is_next_head = is_head & ~is_played
        heads = np.argsort(~is_next_head, axis=1, kind="stable")
        heads[np.arange(k) >= is_next_head.sum(axis=1)[:, None]] = k
        self._heads[slots, :k] = heads
        self._next_head[slots] = 0
        self._value[slots] = -1.0
        self._artists[slots] = 1
        first = np.where(is_played.any(axis=1), is_played.argmax(axis=1), k)
        self._record(batch, slots, np.zeros(len(slots), dtype=np.int64), first, 1)

    def recommend(self, batch: SessionBatch, slots: Indices) -> npt.NDArray[np.integer]:
        """Choose the best track for each slot."""
        count, fresh = self._artists[slots], self._next_head[slots]
        width = int(count.max(initial=0))
        # No copy if all slots step together: then they are in order.
        whole = len(slots) == len(self._value)
        values = self._value[:, :width] if whole else self._value[slots, :width]
        of_played = values.argmax(axis=1)
        head = self._heads[slots, fresh]
        is_new = self._worth[slots, head] >= self._value[slots, of_played]
        place = np.where(is_new, head, self._place[slots, of_played])
        tracks: npt.NDArray[np.integer] = self._tracks[slots, place]
        artist = np.where(is_new, count, of_played)
        self._artists[slots] = count + is_new
        self._next_head[slots] = np.minimum(fresh + is_new, self._k)
        self._widen(width + 1)
        plays = np.where(is_new, 1, self._plays[slots, artist] + 1)
        self._record(batch, slots, artist, self._next[slots, place], plays)
        return tracks

    def _record(
        self,
        batch: SessionBatch,
        slots: Indices,
        artist: Indices,
        place: npt.NDArray[np.integer],
        plays: npt.NDArray[np.integer] | int,
    ) -> None:
        """Keep the next place of an artist with so many plays, and its value."""
        self._place[slots, artist] = place
        self._plays[slots, artist] = plays
        # The place for no track has the value -1, below any time.
        self._value[slots, artist] = self._worth[slots, place] * self._discounts(batch)[plays]

    def _discounts(self, batch: SessionBatch) -> Floats:
        """Return the factor on the time by plays of the artist."""
        if self._factors is None:
            self._factors = batch.listeners.artist_discount ** np.arange(self._k + 2)
        return self._factors

    def _widen(self, width: int) -> None:
        missing = width - self._value.shape[1]
        if missing > 0:
            shape = (len(self._value), max(missing, self._value.shape[1]))
            self._place = np.hstack([self._place, np.full(shape, self._k, dtype=np.int16)])
            self._value = np.hstack([self._value, np.full(shape, -1.0, dtype=np.float32)])
            self._plays = np.hstack([self._plays, np.zeros(shape, dtype=np.int16)])


def _artist_rows(
    artists: npt.NDArray[np.integer],
) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.bool_]]:
    """Return for each place the next one of its artist (or the width), and whether it is a head."""
    count, k = artists.shape
    rows = np.arange(count)[:, None]
    if artists.max(initial=0) < 1 << 16:
        artists = artists.astype(np.uint16)  # numpy sorts these by radix, several times as fast
    order = np.argsort(artists, axis=1, kind="stable")
    in_order = artists[rows, order]
    same = in_order[:, 1:] == in_order[:, :-1]
    following = np.full((count, k), k)
    following[rows, order[:, :-1]] = np.where(same, order[:, 1:], k)
    is_head = np.ones((count, k), dtype=np.bool_)
    is_head[rows, order[:, 1:]] = ~same
    return following, is_head
