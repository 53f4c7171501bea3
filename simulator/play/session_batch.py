"""Sessions under way, one a slot: what was played in each, and a step of many of them at once."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.listeners.model import Flags, Floats, ListenBatch, ListenerModel, SessionPlan
from simulator.random_keys import Indices

MAX_STEPS = 1000
"""Recommendations after which a session is cut off: time is rounded, so 1.00 can last for ever."""


@dataclass(frozen=True, slots=True)
class Step:
    """What a step brought, one row for each slot that was asked.

    Attributes:
        time: float64, (n,), share heard.
        ended: bool, (n,), whether the listener had enough.
        truncated: bool, (n,), whether the session was cut off instead.
    """

    time: Floats
    ended: Flags
    truncated: Flags


class SessionBatch:
    """Slots in which sessions are played; each step is numpy over the slots asked.

    Args:
        listeners: The model.
        slots: How many sessions may be under way.
        max_steps: Recommendations after which a session is truncated.

    Attributes:
        listener, number, day: int64, (slots,), the visit that each slot plays.
        key: uint64, (slots,), of its draws.
        interest: int64, (slots,), what the session is about.
        steps: int64, (slots,), recommendations heard so far.
        budget: int64, (slots,).
        taste: float64, (slots, d).
        track: int64, (slots,), the track heard last.
        time: float64, (slots,), the share of it that was heard.
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
        self._everyone = np.arange(slots)
        # What was played when, wider only when a session grows long; and what of it a step asks:
        # plays of each artist, and a bit for each track, so that no step looks at all before it.
        self._played = np.zeros((slots, 16), dtype=np.int32)
        self._times = np.zeros((slots, 16))
        world = listeners.world
        self._plays = np.zeros((slots, len(world.catalog.artists)), dtype=np.uint16)
        self._seen = np.zeros((slots, len(world.catalog) // 8 + 1), dtype=np.uint8)

    def begin(self, slots: Indices, visits: SessionPlan) -> None:
        """Begin these sessions in these slots; the first track is heard fully."""
        opened = self.listeners.open(visits)
        self._forget(slots)
        self.listener[slots] = visits.listener
        self.number[slots] = visits.number
        self.day[slots] = visits.day
        self.key[slots] = opened.key
        self.interest[slots] = opened.interest
        self.steps[slots] = 0
        self.budget[slots] = opened.budget
        self.taste[slots] = opened.taste
        self.track[slots] = opened.first
        self.time[slots] = 1.0
        self.total[slots] = 0.0
        self._played[slots, 0] = opened.first
        self._times[slots, 0] = 1.0
        self._plays[slots, self._artist_of[opened.first]] = 1
        self._seen[slots, opened.first >> 3] = _bit_of(opened.first)

    def hear(self, slots: Indices, tracks: npt.NDArray[np.integer]) -> Step:
        """Let the listener of each slot hear a recommended track.

        Args:
            slots: int64, (n,), slots whose session is under way, each at most once.
            tracks: int, (n,), catalog indices.
        """
        before = self.steps[slots]
        artists = self._artist_of[tracks]
        plays = self._plays[slots, artists]
        where, bit = tracks >> 3, _bit_of(tracks)
        seen = self._seen[slots, where]
        # Without copying the widest column where it is wanted whole.
        whole = len(slots) == self.slots and bool((slots == self._everyone).all())
        hearings = ListenBatch(
            self.listener[slots],
            self.day[slots],
            self.key[slots],
            before + 1,
            self.taste if whole else self.taste[slots],
            np.asarray(tracks, dtype=np.int64),
            (seen & bit) != 0,
            plays.astype(np.int64),
        )
        time = self.listeners.hear(hearings)
        budget = self.listeners.spend(hearings, time, self.budget[slots])
        self._widen(int(before.max(initial=0)) + 2)
        self._plays[slots, artists] = plays + 1
        self._seen[slots, where] = seen | bit
        self._played[slots, before + 1] = tracks
        self._times[slots, before + 1] = time
        self.steps[slots] = before + 1
        self.budget[slots] = budget
        self.track[slots] = tracks
        self.time[slots] = time
        self.total[slots] += time
        ended = budget <= 0
        return Step(time, ended, ~ended & (before + 1 >= self.max_steps))

    def end(self, slots: Indices) -> None:
        """Tell the model that these sessions are over."""
        mean = self.total[slots] / np.maximum(self.steps[slots], 1)
        self.listeners.close(self.visits(slots), mean)

    def visits(self, slots: Indices) -> SessionPlan:
        """The visits that these slots play."""
        return SessionPlan(self.listener[slots], self.number[slots], self.day[slots])

    def heard(self, slot: int) -> tuple[npt.NDArray[np.int32], Floats]:
        """What was played in a slot's session so far, the first track included.

        Returns:
            Catalog indices, int32, (n,), and times, float64, (n,).
        """
        count = int(self.steps[slot]) + 1
        return self._played[slot, :count].copy(), self._times[slot, :count].copy()

    def _forget(self, slots: Indices) -> None:
        """Take back what the last sessions of these slots left."""
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
