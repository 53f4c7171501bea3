"""Where the server keeps what it knows of listeners between turns."""

from collections.abc import Callable
from typing import Protocol

from cachetools import TTLCache

from core.allocation import Allocation, Assignment
from core.listener import History


class ListenerRecord:
    """What the server keeps of one listener between turns.

    Attributes:
        history: What they heard; strategies read it.
        exposed_experiments: Fingerprints of the experiments that the history grew under.
        assignment: The listener's arms where nothing but their id decides, by `allocation`; the
            history has grown under them.
        allocation: What computed `assignment`; None before anything did.
        renewed_s: When the time to live was last renewed, on the state store's clock.
    """

    __slots__ = ("allocation", "assignment", "exposed_experiments", "history", "renewed_s")

    def __init__(self, history: History) -> None:
        self.history = history
        self.exposed_experiments: frozenset[str] = frozenset()
        self.assignment: Assignment | None = None
        self.allocation: Allocation | None = None
        self.renewed_s = 0.0


class StateStore(Protocol):
    """Keeps records by listener id.

    The dispatcher gets a record, changes it, and keeps it, without a pause in between.
    """

    def get(self, listener: str) -> ListenerRecord | None:
        """The record of a listener, or None if none is known (any more)."""

    def keep(self, listener: str, record: ListenerRecord) -> None:
        """Keep a record after a turn, and renew its time to live."""

    def __len__(self) -> int:
        """How many listeners are known."""


class MemoryState:
    """Records of one process: least recently seen out first, and after `ttl_s` of silence.

    `TTLCache` renews nothing on reading, so a listener is put in again, but only when a tenth of
    the time to live has gone: putting in costs more than all else here.

    Args:
        max_listeners: How many are kept.
        ttl_s: How long without a turn, in seconds.
        timer: Seconds on a clock that never goes back.
    """

    def __init__(self, max_listeners: int, ttl_s: float, timer: Callable[[], float]) -> None:
        self._cache: TTLCache[str, ListenerRecord] = TTLCache(max_listeners, ttl_s, timer)
        self._timer = timer
        # Bound once: `cache[key]` would reach the same method through C, at a higher cost.
        self._read = self._cache.__getitem__
        self._renew_after_s = ttl_s / 10

    def get(self, listener: str) -> ListenerRecord | None:
        """The record of a listener, or None."""
        try:
            return self._read(listener)
        except KeyError:
            return None

    def keep(self, listener: str, record: ListenerRecord) -> None:
        """Keep a record; renew its time to live when a tenth of it has gone."""
        now = self._timer()
        if record.renewed_s == 0.0 or now - record.renewed_s >= self._renew_after_s:
            record.renewed_s = now
            self._cache[listener] = record

    def __len__(self) -> int:
        return len(self._cache)
