"""The interface of listener models, and the batches that pass through it.

A model plans the sessions of a day, draws what each session is about, computes how long a track is
heard, and ends sessions. Every call takes a batch with one row per session; a single listener is a
batch of one.
"""

from dataclasses import dataclass, fields
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from core.rng import Words
from simulator.random_keys import Indices
from simulator.world.world import World

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Rows = slice | npt.NDArray[np.int64]


class _Batch:
    """Columns of the same length."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))  # type: ignore[arg-type]

    def rows(self, rows: Rows | Flags) -> Self:
        """Select rows, in the given order."""
        columns = [getattr(self, field.name)[rows] for field in fields(self)]  # type: ignore[arg-type]
        return type(self)(*columns)


@dataclass(frozen=True, slots=True)
class SessionPlan(_Batch):
    """Sessions to play; the sessions of one listener must be played in this order.

    Attributes:
        listener: int64, (n,), index into the `users` of the world.
        number: int64, (n,), number of the session, unique in a run; part of the key of its draws.
        day: int64, (n,), from 0.
    """

    listener: Indices
    number: Indices
    day: Indices


@dataclass(frozen=True, slots=True)
class SessionStarts(_Batch):
    """The beginning of sessions.

    Attributes:
        key: uint64, (n,), from which the session's draws derive.
        interest: int64, (n,), catalog index of the track that the session is about.
        taste: float64, (n, d), that track's vector, or where it has drifted to.
        first: int64, (n,), catalog index of the track that plays first, heard in full.
        budget: int64, (n,), skips that end the session.
    """

    key: Words
    interest: Indices
    taste: Floats
    first: Indices
    budget: Indices


@dataclass(frozen=True, slots=True)
class ListenBatch(_Batch):
    """Recommended tracks that play next, one per session.

    Attributes:
        listener: int64, (n,).
        day: int64, (n,).
        key: uint64, (n,), key of the session.
        step: int64, (n,), number of this recommendation in the session, from 1.
        taste: float64, (n, d).
        track: int64, (n,), catalog index.
        repeated: bool, (n,), whether the track was played in the session before.
        artist_plays: int64, (n,), plays of its artist in the session before, the first included.
    """

    listener: Indices
    day: Indices
    key: Words
    step: Indices
    taste: Floats
    track: Indices
    repeated: Flags
    artist_plays: Indices


class ListenerModel(Protocol):
    """A model of listeners.

    A model may remember, by listener, what it learns in `listen` and `end`. The sessions of one
    listener come one after another, those of different listeners in any order.

    Attributes:
        world: The world of the listeners.
        seed: Seed of all draws.
        artist_discount: Factor on the time heard for each earlier play of the artist.
    """

    world: World
    seed: int
    artist_discount: float

    def plan_day(self, day: int, episodes: int) -> SessionPlan:
        """Plan the sessions of a day.

        Args:
            day: Number of the day, from 0, in order; all sessions before must have ended.
            episodes: Sessions of a day, for models without an activity of their own.
        """

    def start(self, sessions: SessionPlan) -> SessionStarts:
        """Draw how sessions begin."""

    def listen(self, listens: ListenBatch) -> Floats:
        """Return the share of each track that is heard: float64, (n,), in [0, 1], as logged."""

    def spend(self, listens: ListenBatch, time: Floats, budget: Indices) -> Indices:
        """Return what is left of each budget: int64, (n,); a session ends at 0."""

    def end(self, sessions: SessionPlan, mean_time: Floats) -> None:
        """Take ended sessions, with the mean time of their recommendations: float64, (n,)."""

    def expected_time(self, sessions: SessionPlan, taste: Floats, tracks: Indices) -> Floats:
        """Return the expected time of tracks not played yet: float64, the shape of `tracks`.

        Only the oracle may call this.

        Args:
            sessions: (n,).
            taste: float64, (n, d).
            tracks: int64, (n, k), catalog indices.
        """
