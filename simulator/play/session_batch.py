"""Sessions under way, one per slot: the tracks played in each, and a step of many at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.listeners.model import Flags, Floats, ListenBatch, ListenerModel, SessionPlan
from simulator.random_keys import Indices

MAX_STEPS = 1000
"""Recommendations after which a session is truncated.

Time is rounded, so a listener who always hears 1.00 would never leave.
"""


@dataclass(frozen=True, slots=True)
class Step:
    """The result of a step, one row per slot.

    Attributes:
        time: float64, (n,), share heard.
        ended: bool, (n,), whether the listener left.
        truncated: bool, (n,), whether `max_steps` cut the session off.
    """

    time: Floats
    ended: Flags
    truncated: Flags


class SessionBatch:
    """Slots in which sessions are played; each step is one numpy pass over the given slots.

    Args:
        listeners: The listener model.
        slots: Sessions under way at once, a count.
        max_steps: Recommendations after which a session is truncated.

    Attributes:
        listener, number, day: int64, (slots,), the session that each slot plays.
        key: uint64, (slots,), from which the session's draws derive.
        interest: int64, (slots,), catalog index of the track that the session is about.
        steps: int64, (slots,), recommendations heard so far.
        budget: int64, (slots,), skips left until the listener leaves.
        taste: float64, (slots, d).
        track: int64, (slots,), the track heard last.
        time: float64, (slots,), the share of that track that was heard.
        total: float64, (slots,), time of all recommendations; the first track does not count.
    """

    def __init__(self, listeners: ListenerModel, slots: int, max_steps: int = MAX_STEPS) -> None:
        self.listeners = listeners
        self.max_steps = max_steps
        self.slots = slots
        self.listener = np.zeros(slots, dtype=np.int64)
        self.number = np.zeros(slots, dtype=np.int64)
        self.day = np.zeros(slots, dtype=np.int64)
        self.key = np.zeros(slots, dtype=np.uint64)
        self.interest = np.zeros(slots, dtype=np.int64)
        self.steps = np.zeros(slots, dtype=np.int64)
        self.budget = np.zeros(slots, dtype=np.int64)
        self.taste = np.zeros((slots, listeners.world.embeddings.shape[1]))
        self.track = np.zeros(slots, dtype=np.int64)
        self.time = np.zeros(slots)
        self.total = np.zeros(slots)
        self._artist_of = listeners.world.catalog.artist_of
        self._all_slots = np.arange(slots)
        # The tracks played and their times, widened only when a session grows long. A step needs
        # two things of them: the plays of an artist, and whether a track was played. Both are kept
        # beside, as counts and as one bit per track, so that no step reads the whole session.
        self._played = np.zeros((slots, 16), dtype=np.int32)
        self._times = np.zeros((slots, 16))
        world = listeners.world
        self._plays = np.zeros((slots, len(world.catalog.artists)), dtype=np.uint16)
        self._seen = np.zeros((slots, len(world.catalog) // 8 + 1), dtype=np.uint8)

    def begin(self, slots: Indices, sessions: SessionPlan) -> None:
        """Begin sessions in these slots; each listener hears the first track in full."""
        starts = self.listeners.start(sessions)
        self._forget(slots)
        self.listener[slots] = sessions.listener
        self.number[slots] = sessions.number
        self.day[slots] = sessions.day
        self.key[slots] = starts.key
        self.interest[slots] = starts.interest
        self.steps[slots] = 0
        self.budget[slots] = starts.budget
        self.taste[slots] = starts.taste
        self.track[slots] = starts.first
        self.time[slots] = 1.0
        self.total[slots] = 0.0
        self._played[slots, 0] = starts.first
        self._times[slots, 0] = 1.0
        self._plays[slots, self._artist_of[starts.first]] = 1
        self._seen[slots, starts.first >> 3] = _bit_of(starts.first)

    def listen(self, slots: Indices, tracks: npt.NDArray[np.integer]) -> Step:
        """Let the listener of each slot hear a recommended track.

        Args:
            slots: int64, (n,), slots with a session under way, each at most once.
            tracks: int, (n,), catalog indices.
        """
        steps = self.steps[slots]
        artists = self._artist_of[tracks]
        plays = self._plays[slots, artists]
        byte, bit = tracks >> 3, _bit_of(tracks)
        seen = self._seen[slots, byte]
        # The tastes are the widest column by far: not copied if all slots step together.
        whole = len(slots) == self.slots and bool((slots == self._all_slots).all())
        listens = ListenBatch(
            self.listener[slots],
            self.day[slots],
            self.key[slots],
            steps + 1,
            self.taste if whole else self.taste[slots],
            np.asarray(tracks, dtype=np.int64),
            (seen & bit) != 0,
            plays.astype(np.int64),
        )
        time = self.listeners.listen(listens)
        budget = self.listeners.spend(listens, time, self.budget[slots])
        self._widen(int(steps.max(initial=0)) + 2)
        self._plays[slots, artists] = plays + 1
        self._seen[slots, byte] = seen | bit
        self._played[slots, steps + 1] = tracks
        self._times[slots, steps + 1] = time
        self.steps[slots] = steps + 1
        self.budget[slots] = budget
        self.track[slots] = tracks
        self.time[slots] = time
        self.total[slots] += time
        ended = budget <= 0
        return Step(time, ended, ~ended & (steps + 1 >= self.max_steps))

    def end(self, slots: Indices) -> None:
        """Pass the end of these sessions to the listener model."""
        mean = self.total[slots] / np.maximum(self.steps[slots], 1)
        self.listeners.end(self.sessions(slots), mean)

    def sessions(self, slots: Indices) -> SessionPlan:
        """Return the sessions that these slots play."""
        return SessionPlan(self.listener[slots], self.number[slots], self.day[slots])

    def listens(self, slot: int) -> tuple[npt.NDArray[np.int32], Floats]:
        """Return what a slot's listener has heard in the session, the first track included.

        Returns:
            Catalog indices, int32, (n,), and times, float64, (n,).
        """
        count = int(self.steps[slot]) + 1
        return self._played[slot, :count].copy(), self._times[slot, :count].copy()

    def _forget(self, slots: Indices) -> None:
        """Clear the counts and bits that the last sessions of these slots left."""
        last = self.steps[slots]
        width = int(last.max(initial=0)) + 1
        row, column = np.nonzero(np.arange(width) <= last[:, None])
        slot = slots[row]
        tracks = self._played[slot, column]
        self._plays[slot, self._artist_of[tracks]] = 0
        self._seen[slot, tracks >> 3] = 0

    def _widen(self, width: int) -> None:
        missing = width - self._played.shape[1]
        if missing > 0:
            more = np.zeros((self.slots, max(missing, self._played.shape[1])), dtype=np.int32)
            self._played = np.hstack([self._played, more])
            self._times = np.hstack([self._times, np.zeros(more.shape)])


def _bit_of(tracks: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
    bits: npt.NDArray[np.uint8] = np.left_shift(1, tracks & 7).astype(np.uint8)
    return bits
