"""Warm starts: the numbers that a fit leaves for the next fit of the same model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from training.top_k import Floats


@dataclass(frozen=True, slots=True)
class WarmStart:
    """The numbers that an earlier fit of the same model, with the same settings, left.

    Attributes:
        by_track: Name -> float32, (tracks, ...).
        by_listener: Name -> float32, (listeners, ...).
        users: Listener id of each row of the arrays by listener.
    """

    by_track: Mapping[str, Floats]
    by_listener: Mapping[str, Floats]
    users: Sequence[str]

    def rows_of(self, users: Sequence[str]) -> np.ndarray:
        """Find the row of each listener, int64, (users,); -1 for those who are new."""
        row_of = {user: row for row, user in enumerate(self.users)}
        return np.array([row_of.get(user, -1) for user in users], dtype=np.int64)

    def for_listeners(self, name: str, rows: np.ndarray, new: float = 0.0) -> Floats:
        """Give the numbers of listeners by their rows, and `new` for those who are new."""
        known = self.by_listener[name]
        found = np.full((len(rows), *known.shape[1:]), new, dtype=np.float32)
        found[rows >= 0] = known[rows[rows >= 0]]
        return found
