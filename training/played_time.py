"""Played time: the earnings of a model's lists and vectors, beside NDCG.

Training knows no listeners. The command line, which knows simulated ones, hands in a `Play`.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from core.archive import Key
from core.progress import Progress
from training.artifacts import KEY_NAMES
from training.model import FittedModel


@dataclass(frozen=True, slots=True)
class PlayedTime:
    """The recommended time of a session under one strategy that reads one file of a model.

    Attributes:
        strategy: Type of the strategy.
        key: Key of the file.
        mean: Mean recommended time of a session, in tracks.
        standard_error: Its standard error, clustered by listener.
        lift: Ratio to the mean of the base strategy over the same sessions, less 1.
        low, high: 95 % interval of the lift.
    """

    strategy: str
    key: Key
    mean: float
    standard_error: float
    lift: float
    low: float
    high: float

    def as_json(self) -> dict[str, Any]:
        """The figures as plain values."""
        return {
            "strategy": self.strategy,
            "by": KEY_NAMES[self.key],
            "time": round(self.mean, 4),
            "standard_error": round(self.standard_error, 4),
            "lift": [round(each, 4) for each in (self.lift, self.low, self.high)],
        }


@dataclass(frozen=True, slots=True)
class PlayFiles:
    """The files of a model that are played.

    Attributes:
        name: Name of the model, as files have it.
        by_track: Lists by track.
        by_listener: Lists by listener, of a model without lists by track.
        vectors: Vectors of tracks.
    """

    name: str
    by_track: Path | None
    by_listener: Path | None
    vectors: Path | None

    @classmethod
    def of(cls, name: str, written: Sequence[Path]) -> "PlayFiles":
        """Find them among the files that a model wrote."""
        stem = name.replace(":", "_")
        found = {path.stem.removeprefix(f"{stem}_"): path for path in written}
        return cls(
            stem, found.get("by_track"), found.get("by_listener"), found.get("vectors_by_track")
        )


class Play(Protocol):
    """Sessions of simulated listeners, the same for every model."""

    @property
    def about(self) -> str:
        """Say what the figures are, in one sentence."""

    def __call__(self, files: PlayFiles, progress: Progress) -> Sequence[PlayedTime]:
        """Play the sessions against each file."""


def only_played(fitted: FittedModel) -> FittedModel:
    """Leave a model what is played: lists by one key, by track where it has them, and vectors."""
    key: Key = "track" if "track" in fitted.rankers else "user"
    return replace(
        fitted,
        rankers={key: fitted.rankers[key]},
        order=None,
        curve=None,
        table=None,
        vectors={key: rows for key, rows in fitted.vectors.items() if key == "track"},
    )
