"""Listens out of files: event logs by the report's own reader, or a training table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from core.catalog import Catalog
from core.errors import InputError
from training.interactions import Interactions, load_table
from training.progress import SILENT, Progress


@dataclass(frozen=True, slots=True)
class Selection:
    """Which listens count, and for how much.

    Attributes:
        since_ms: Only sessions that began then or later, Unix time in ms.
        until_ms: Only sessions that began before.
        arms: Experiment -> arms; only listens of turns in one of them. Empty: all.
        min_time: Only listens that heard this share or more.
        inverse: Whether each listen counts for the inverse of its chance.
        most: Inverse chances above this multiple of the smallest are cut to it.
    """

    since_ms: int | None = None
    until_ms: int | None = None
    arms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    min_time: float = 0.0
    inverse: bool = False
    most: float = 100.0

    def as_json(self) -> dict[str, Any]:
        """For a manifest: what is not as always."""
        stated: dict[str, Any] = {
            "since": None if self.since_ms is None else _iso(self.since_ms),
            "until": None if self.until_ms is None else _iso(self.until_ms),
            "arms": {name: list(arms) for name, arms in self.arms.items()} or None,
            "min_time": self.min_time or None,
            "inverse_propensity": self.most if self.inverse else None,
        }
        return {name: value for name, value in stated.items() if value is not None}

    def of(self, table: Interactions) -> Interactions:
        """The listens that count; arms were told apart when the log was read."""
        table = table.between(self.since_ms, self.until_ms)
        if self.min_time > 0:
            table = table.where(table.time >= np.float32(self.min_time))
        return table.inversely_weighted(self.most) if self.inverse else table


def _iso(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()


def load(
    paths: Sequence[Path], catalog: Catalog, selection: Selection, progress: Progress = SILENT
) -> Interactions:
    """Read listens and keep those that count.

    Raises:
        InputError: Nothing to read, nothing left, or not for this catalog.
    """
    progress.start("reading")
    if len(paths) != 1 or paths[0].suffix != ".parquet":
        raise InputError.one(
            ", ".join(map(str, paths)),
            "must be one training table. Make one with: segue data import KIND PATH --to DIR",
        )
    if selection.arms:
        raise InputError.one(str(paths[0]), "is a training table, which knows of no arms")
    kept = selection.of(load_table(paths[0], catalog))
    if not len(kept):
        raise InputError.one(", ".join(map(str, paths)), "has no listen that counts")
    return kept
