"""Plans for restarts of dead workers: at once after a long life, after growing pauses otherwise."""

import math
from time import monotonic

STEADY_S = 10.0
"""A worker that lived this long is restarted at once; the pauses below are for any other."""
PAUSES_S = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0)
"""Pauses before the restarts of a worker that dies again and again."""


class Restarts:
    """The restarts that are due, by slot of the worker."""

    def __init__(self) -> None:
        self._deaths: dict[int, int] = {}
        self._due_s: dict[int, float] = {}

    def plan(self, slot: int, lived_s: float) -> float:
        """Plan a restart; give the pause before it, in seconds."""
        deaths = 0 if lived_s >= STEADY_S else self._deaths.get(slot, 0)
        pause_s = PAUSES_S[min(deaths, len(PAUSES_S) - 1)]
        self._deaths[slot] = deaths + 1
        self._due_s[slot] = monotonic() + pause_s
        return pause_s

    def take_due(self) -> list[int]:
        """Give the slots whose restart is due, each once."""
        due = [slot for slot, at_s in self._due_s.items() if at_s <= monotonic()]
        for slot in due:
            del self._due_s[slot]
        return due

    def wait_s(self) -> float:
        """Give the time until the next one is due, in seconds; infinite if none is planned."""
        return max(0.0, min(self._due_s.values(), default=math.inf) - monotonic())

    def clear(self) -> None:
        """Forget all plans and deaths, since all workers are new."""
        self._deaths.clear()
        self._due_s.clear()
