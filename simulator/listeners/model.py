"""What a model of listeners is, and the batches that it speaks of.

A model says who comes on a day, what a session is about, how long a track is heard, and when a
session ends. Everything is a batch of sessions, one row each; a single listener is a batch of one.
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
    """Columns of the same length, from which rows can be taken."""

    __slots__ = ()

    def __len__(self) -> int:
        return len(getattr(self, fields(self)[0].name))  # type: ignore[arg-type]

    def rows(self, rows: Rows | Flags) -> Self:
        """The same with only these rows, in this order."""
        columns = [getattr(self, field.name)[rows] for field in fields(self)]  # type: ignore[arg-type]
        return type(self)(*columns)


@dataclass(frozen=True, slots=True)
class SessionPlan(_Batch):
    """Sessions that are to be played, in the order in which a listener's must be.

    Attributes:
        listener: int64, (n,), index in the world's `users`.
        number: int64, (n,), the session's number, unique in a run; part of the key of its draws.
        day: int64, (n,), from 0.
    """

    listener: Indices
    number: Indices
    day: Indices


@dataclass(frozen=True, slots=True)
class SessionStarts(_Batch):
    """How sessions begin.

    Attributes:
        key: uint64, (n,), from which the session's draws derive.
        interest: int64, (n,), catalog index of the track that the session's taste is, or began as.
        taste: float64, (n, d), the taste itself.
        first: int64, (n,), catalog index of the track that plays first, heard fully.
        budget: int64, (n,), units of patience.
    """

    key: Words
    interest: Indices
    taste: Floats
    first: Indices
    budget: Indices


@dataclass(frozen=True, slots=True)
class ListenBatch(_Batch):
    """Recommended tracks that are about to be heard, one a session.

    Attributes:
        listener: int64, (n,).
        day: int64, (n,).
        key: uint64, (n,), the session's.
        step: int64, (n,), number of this recommendation in the session, from 1.
        taste: float64, (n, d).
        track: int64, (n,), catalog index.
        repeated: bool, (n,), whether the track was played in the session before.
        artist_plays: int64, (n,), how often its artist was, the first track included.
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

    It may remember what listeners lived through (`hear` and `close` tell it), keyed by listener: a
    listener's sessions come one after another, those of different listeners in any order.

    Attributes:
        world: Where they live.
        seed: What their draws are keyed by.
        artist_discount: Factor on the time heard for each earlier play of the artist.
    """

    world: World
    seed: int
    artist_discount: float

    def visits(self, day: int, episodes: int) -> SessionPlan:
        """Who comes on a day.

        Args:
            day: From 0; asked for in order, when all sessions of the days before are closed.
            episodes: How many sessions a day has, where the model does not know better.
        """

    def open(self, visits: SessionPlan) -> SessionStarts:
        """Begin sessions."""

    def hear(self, hearings: ListenBatch) -> Floats:
        """Share of each track that is heard: float64, (n,), in [0, 1], what the log will say."""

    def spend(self, hearings: ListenBatch, time: Floats, budget: Indices) -> Indices:
        """What is left of each budget: int64, (n,); a session whose budget is 0 has ended."""

    def close(self, visits: SessionPlan, mean_time: Floats) -> None:
        """Sessions have ended; `mean_time` is of what was recommended, float64, (n,)."""

    def expected(self, visits: SessionPlan, taste: Floats, tracks: Indices) -> Floats:
        """Expected time of tracks never played in the session: float64, the shape of `tracks`.

        The ceiling `best` asks this; nobody else may.

        Args:
            visits: (n,).
            taste: float64, (n, d).
            tracks: int64, (n, k), catalog indices.
        """
