"""The ceiling: a recommender that knows the listeners' minds, so that nobody need do better."""

import numpy as np
import numpy.typing as npt

from simulator.listeners.model import Floats
from simulator.play.session_batch import SessionBatch
from simulator.random_keys import Indices
from simulator.recommenders.baselines import Policy

AROUND = 256
"""How many tracks nearest to an interest it chooses among."""


class Oracle(Policy):
    """Plays what the listener is expected to hear longest at this step.

    That counts the weariness of artists played before, and never repeats a track while any is
    left. It chooses among the tracks nearest to the session's interest, which leaves out nothing
    better as long as one of them is by an artist not played yet.

    A step costs no look at them all. Sorted by what they are worth unwearied, the best of the
    artists not played is the next head of an artist's row; of each artist played, only the next
    in its row can be the best, and what that is worth is kept.

    Args:
        nearest: int, (users, interests, k), catalog indices, see `simulator.world.neighbours`.
        slots: Sessions under way at once.
    """

    name = "best"

    def __init__(self, nearest: npt.NDArray[np.integer], slots: int) -> None:
        k = self._k = nearest.shape[2]
        self._nearest = nearest
        # By slot and place, best first; the place k stands for none.
        self._tracks = np.zeros((slots, k + 1), dtype=np.int32)
        self._worth = np.full((slots, k + 1), -1.0, dtype=np.float32)
        self._next = np.full((slots, k + 1), k, dtype=np.int16)
        self._heads = np.full((slots, k + 1), k, dtype=np.int16)
        # By slot and artist played, in the order in which they were.
        self._place = np.full((slots, 8), k, dtype=np.int16)
        self._value = np.full((slots, 8), -1.0, dtype=np.float32)
        self._plays = np.zeros((slots, 8), dtype=np.int16)
        self._powers: Floats | None = None
        self._artists = np.zeros(slots, dtype=np.int64)
        self._fresh = np.zeros(slots, dtype=np.int64)

    def begin(self, stage: SessionBatch, slots: Indices) -> None:
        """Sort what each session might hear."""
        k, rows = self._k, np.arange(len(slots))[:, None]
        visits = stage.visits(slots)
        interests = stage.listeners.world.interests[visits.listener]
        which = (interests == stage.interest[slots, None]).argmax(axis=1)
        tracks = self._nearest[visits.listener, which]
        worth = stage.listeners.expected(visits, stage.taste[slots], tracks)
        worth[tracks == stage.track[slots, None]] = -1.0  # the first track was played
        order = np.argsort(-worth, axis=1, kind="stable")
        tracks, worth = tracks[rows, order], worth[rows, order]
        artist_of = stage.listeners.world.catalog.artist_of
        artists = artist_of[tracks]
        begun = artists == artist_of[stage.track[slots]][:, None]
        following, is_head = _rows_of(artists)
        self._tracks[slots, :k] = tracks
        self._tracks[slots, k] = tracks[:, 0]
        self._worth[slots, :k] = worth
        self._next[slots, :k] = following
        is_fresh = is_head & ~begun
        heads = np.argsort(~is_fresh, axis=1, kind="stable")
        heads[np.arange(k) >= is_fresh.sum(axis=1)[:, None]] = k
        self._heads[slots, :k] = heads
        self._fresh[slots] = 0
        self._value[slots] = -1.0
        self._artists[slots] = 1
        first = np.where(begun.any(axis=1), begun.argmax(axis=1), k)
        self._keep(stage, slots, np.zeros(len(slots), dtype=np.int64), first, 1)

    def recommend(self, stage: SessionBatch, slots: Indices) -> npt.NDArray[np.integer]:
        """The best track for each slot."""
        count, fresh = self._artists[slots], self._fresh[slots]
        width = int(count.max(initial=0))
        # Without copying where all slots are asked, in order.
        whole = len(slots) == len(self._value)
        values = self._value[:, :width] if whole else self._value[slots, :width]
        of_played = values.argmax(axis=1)
        head = self._heads[slots, fresh]
        is_new = self._worth[slots, head] >= self._value[slots, of_played]
        place = np.where(is_new, head, self._place[slots, of_played])
        tracks: npt.NDArray[np.integer] = self._tracks[slots, place]
        artist = np.where(is_new, count, of_played)
        self._artists[slots] = count + is_new
        self._fresh[slots] = np.minimum(fresh + is_new, self._k)
        self._widen(width + 1)
        plays = np.where(is_new, 1, self._plays[slots, artist] + 1)
        self._keep(stage, slots, artist, self._next[slots, place], plays)
        return tracks

    def _keep(
        self,
        stage: SessionBatch,
        slots: Indices,
        artist: Indices,
        place: npt.NDArray[np.integer],
        plays: npt.NDArray[np.integer] | int,
    ) -> None:
        """Note the next place of an artist that was played so often, and what it is worth."""
        self._place[slots, artist] = place
        self._plays[slots, artist] = plays
        # The place for none is worth -1, and so less than anything.
        self._value[slots, artist] = self._worth[slots, place] * self._discounts(stage)[plays]

    def _discounts(self, stage: SessionBatch) -> Floats:
        """What so many plays of its artist leave of a track."""
        if self._powers is None:
            self._powers = stage.listeners.artist_discount ** np.arange(self._k + 2)
        return self._powers

    def _widen(self, width: int) -> None:
        missing = width - self._value.shape[1]
        if missing > 0:
            shape = (len(self._value), max(missing, self._value.shape[1]))
            self._place = np.hstack([self._place, np.full(shape, self._k, dtype=np.int16)])
            self._value = np.hstack([self._value, np.full(shape, -1.0, dtype=np.float32)])
            self._plays = np.hstack([self._plays, np.zeros(shape, dtype=np.int16)])


def _rows_of(
    artists: npt.NDArray[np.integer],
) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.bool_]]:
    """For each place the next of the same artist (or the width), and whether it is its first."""
    count, k = artists.shape
    rows = np.arange(count)[:, None]
    if artists.max(initial=0) < 1 << 16:
        artists = artists.astype(np.uint16)  # which numpy sorts by radix
    order = np.argsort(artists, axis=1, kind="stable")
    sorted_ = artists[rows, order]
    same = sorted_[:, 1:] == sorted_[:, :-1]
    following = np.full((count, k), k)
    following[rows, order[:, :-1]] = np.where(same, order[:, 1:], k)
    is_head = np.ones((count, k), dtype=np.bool_)
    is_head[rows, order[:, 1:]] = ~same
    return following, is_head
