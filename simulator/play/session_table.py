"""What was played: one row a session, and what is said of them by arm."""

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
    """Who answered in a session.

    Attributes:
        experiments: `experiment=arm` of each experiment, comma-separated; empty where unknown.
        strategy: Name of the strategy; empty where unknown.
    """

    experiments: str
    strategy: str

    @classmethod
    def of(cls, experiments: Mapping[str, str], strategy: str) -> "Arm":
        """From the arms of an answer."""
        return cls(", ".join(f"{name}={arm}" for name, arm in experiments.items()), strategy)

    def __str__(self) -> str:
        return self.experiments or self.strategy or "all"


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean over sessions.

    Attributes:
        mean: Over all sessions.
        error: Its standard error, sessions of one listener taken as one observation; NaN where
            there are fewer than two listeners.
    """

    mean: float
    error: float


@dataclass(frozen=True, slots=True)
class SessionTable:
    """Sessions that were played to their end, in the order of their numbers.

    Attributes:
        number: int64, (n,), the session's number.
        listener: int64, (n,).
        day: int64, (n,).
        arm: int64, (n,), index in `arms`.
        steps: int64, (n,), recommendations heard.
        time: float64, (n,), time of the recommendations, in tracks.
        truncated: bool, (n,), whether the session was cut off.
        arms: Who answered.
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
        """Only these sessions."""
        columns = {name: getattr(self, name)[rows] for name in _COLUMNS}
        return SessionTable(**columns, arms=self.arms)

    def mean(self, column: npt.NDArray[np.float64] | Indices) -> Estimate:
        """The mean of a column over sessions, with its error by listener."""
        return mean_by_listener(column.astype(np.float64), self.listener)


_COLUMNS = ("number", "listener", "day", "arm", "steps", "time", "truncated")


class SessionRecorder:
    """Gathers sessions as they end, in any order."""

    def __init__(self) -> None:
        self._rows: list[tuple[Any, ...]] = []
        self._arms: dict[Arm, int] = {}
        self.sessions = 0
        self.steps = 0

    def add(
        self, stage: SessionBatch, slots: Indices, truncated: Flags, arms: Sequence[Arm]
    ) -> None:
        """Take in the sessions that ended in these slots, and who answered in each."""
        known = self._arms
        self._rows.append(
            (
                stage.number[slots],
                stage.listener[slots],
                stage.day[slots],
                np.array([known.setdefault(arm, len(known)) for arm in arms], dtype=np.int64),
                stage.steps[slots],
                stage.total[slots],
                truncated,
            )
        )
        self.sessions += len(slots)
        self.steps += int(stage.steps[slots].sum())

    def played(self) -> SessionTable:
        """All of them, by number."""
        arms = list(self._arms)
        return joined(
            [SessionTable(**dict(zip(_COLUMNS, row, strict=True)), arms=arms) for row in self._rows]
        )


def joined(parts: Sequence[SessionTable]) -> SessionTable:
    """One result of the results of several processes: by number, arms by name."""
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
    """Mean over sessions, and its standard error with listeners as the independent units.

    Sessions of one listener resemble each other, so that an error which took each session as
    independent would be too small. With r the residuals summed by listener, G listeners and n
    sessions, error ** 2 = G / (G - 1) * sum(r ** 2) / n ** 2 (Liang and Zeger 1986).
    """
    if not len(values):
        return Estimate(math.nan, math.nan)
    mean = math.fsum(values) / len(values)
    _, unit = np.unique(listener, return_inverse=True)
    summed = np.bincount(unit, weights=values - mean)
    groups = len(summed)
    if groups < 2:
        return Estimate(mean, math.nan)
    variance = groups / (groups - 1) * math.fsum(summed**2) / len(values) ** 2
    return Estimate(mean, math.sqrt(variance))
