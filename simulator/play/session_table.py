"""The sessions that were played, one row per session, and means over them."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from simulator.listeners.model import Flags, Floats
from simulator.play.session_batch import SessionBatch
from simulator.random_keys import Indices


class Arm(NamedTuple):
    """The arm that answered in a session.

    Attributes:
        experiments: `experiment=arm` of each experiment, comma-separated; empty if unknown.
        strategy: Name of the strategy; empty if unknown.
    """

    experiments: str
    strategy: str

    @classmethod
    def of(cls, experiments: Mapping[str, str], strategy: str) -> "Arm":
        """Make the arm from the fields of a response."""
        return cls(", ".join(f"{name}={arm}" for name, arm in experiments.items()), strategy)

    def __str__(self) -> str:
        return self.experiments or self.strategy or "all"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over sessions.

    Attributes:
        mean: Mean over all sessions.
        standard_error: Standard error of the mean, clustered by listener; NaN below two listeners.
    """

    mean: float
    standard_error: float


@dataclass(frozen=True, slots=True)
class SessionTable:
    """Sessions played to their end, in the order of their numbers.

    Attributes:
        number: int64, (n,), number of the session.
        listener: int64, (n,).
        day: int64, (n,).
        arm: int64, (n,), index into `arms`.
        steps: int64, (n,), recommendations heard.
        time: float64, (n,), time of the recommendations, in tracks.
        truncated: bool, (n,), whether `max_steps` cut the session off.
        arms: The arms that answered.
    """

    number: Indices
    listener: Indices
    day: Indices
    arm: Indices
    steps: Indices
    time: Floats
    truncated: Flags
    arms: Sequence[Arm] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.number)

    def rows(self, rows: Indices | Flags) -> "SessionTable":
        """Select sessions."""
        columns = {name: getattr(self, name)[rows] for name in _COLUMNS}
        return SessionTable(**columns, arms=self.arms)

    def mean(self, column: npt.NDArray[np.float64] | Indices) -> Estimate:
        """Return the mean of a column, with its standard error clustered by listener."""
        return mean_by_listener(column.astype(np.float64), self.listener)


_COLUMNS = ("number", "listener", "day", "arm", "steps", "time", "truncated")


class SessionRecorder:
    """Collects sessions as they end, in any order."""

    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []
        self._arms: dict[Arm, int] = {}
        self.sessions = 0
        self.steps = 0

    def add(
        self, batch: SessionBatch, slots: Indices, truncated: Flags, arms: Sequence[Arm]
    ) -> None:
        """Add the sessions that ended in these slots, each with its arm."""
        known = self._arms
        self._rows.append(
            (
                batch.number[slots],
                batch.listener[slots],
                batch.day[slots],
                np.array([known.setdefault(arm, len(known)) for arm in arms], dtype=np.int64),
                batch.steps[slots],
                batch.total[slots],
                truncated,
            )
        )
        self.sessions += len(slots)
        self.steps += int(batch.steps[slots].sum())

    def table(self) -> SessionTable:
        """Return all sessions, by number."""
        arms = list(self._arms)
        return join_tables(
            [SessionTable(**dict(zip(_COLUMNS, row, strict=True)), arms=arms) for row in self._rows]
        )


def join_tables(parts: Sequence[SessionTable]) -> SessionTable:
    """Join the tables of several processes: sessions by number, arms by name."""
    arms = sorted({arm for part in parts for arm in part.arms})
    index = {arm: position for position, arm in enumerate(arms)}
    columns: dict[str, Any] = {}
    for name, kind in zip(_COLUMNS, ("q", "q", "q", "q", "q", "d", "?"), strict=True):
        pieces = [np.empty(0, dtype=kind)]
        for part in parts:
            column = getattr(part, name)
            if name == "arm":
                column = np.array([index[arm] for arm in part.arms] or [0])[column]
            pieces.append(column)
        columns[name] = np.concatenate(pieces).astype(kind)
    order = np.argsort(columns["number"], kind="stable")
    return SessionTable(**{name: column[order] for name, column in columns.items()}, arms=arms)


def mean_by_listener(values: Floats, listener: Indices) -> Estimate:
    """Return the mean over sessions, and its standard error clustered by listener.

    Sessions of one listener are alike, so a standard error that took each session as independent
    would be too small. With r the residuals summed by listener, G listeners and n sessions,
    standard_error ** 2 = G / (G - 1) * sum(r ** 2) / n ** 2 (Liang and Zeger 1986).
    """
    if not len(values):
        return Estimate(math.nan, math.nan)
    mean = math.fsum(values) / len(values)
    _, cluster = np.unique(listener, return_inverse=True)
    residuals = np.bincount(cluster, weights=values - mean)
    groups = len(residuals)
    if groups < 2:
        return Estimate(mean, math.nan)
    variance = groups / (groups - 1) * math.fsum(residuals**2) / len(values) ** 2
    return Estimate(mean, math.sqrt(variance))
