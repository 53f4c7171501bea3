"""The server's memory of listeners between turns."""

from collections.abc import Callable
from typing import Protocol

from cachetools import TTLCache

from core.allocation import Allocation, Assignment
from core.listener import History


class ListenerRecord:
    """The server's record of one listener between turns.

    Attributes:
        history: The listener's history; strategies read it.
        exposed_experiments: Fingerprints of the experiments that the history grew under.
        assignment: The arms that `allocation` computed from the listener's id alone; the history
            has grown under them.
        allocation: The allocation that computed `assignment`; None before the first time.
        renewed_s: Time of the last renewal of the time to live, on the state store's clock.
    """

    __slots__ = ("allocation", "assignment", "exposed_experiments", "history", "renewed_s")

    def __init__(self, history: History) -> None:
        self.history = history
        self.exposed_experiments: frozenset[str] = frozenset()
        self.assignment: Assignment | None = None
        self.allocation: Allocation | None = None
        self.renewed_s = 0.0


class StateStore(Protocol):
    """A store of records by listener id.

    The dispatcher gets a record, changes it, and keeps it, without a pause in between.
    """

    def get(self, listener: str) -> ListenerRecord | None:
        """Give the record of a listener; None if the store has none, or has dropped it."""

    def keep(self, listener: str, record: ListenerRecord) -> None:
        """Keep a record after a turn, and renew its time to live."""

    def forget(self, listener: str) -> bool:
        """Delete the record of a listener; return whether there was one."""

    def __len__(self) -> int:
        """Count the known listeners."""


class MemoryState:
    """Records of one process; it drops the least recently seen, and all after `ttl_s` of silence.

    A read of `TTLCache` renews no entry, so `keep` writes the record again, but only when a tenth
    of the time to live has gone: a write is the most expensive step here.

    Args:
        max_listeners: Most records.
        ttl_s: Time without a turn after which a record goes, in seconds.
        timer: Seconds on a clock that never goes back.
    """

    def __init__(self, max_listeners: int, ttl_s: float, timer: Callable[[], float]) -> None:
        self._cache: TTLCache[str, ListenerRecord] = TTLCache(max_listeners, ttl_s, timer)
        self._timer = timer
        # Bound once: `cache[key]` reaches the same method through a slower C slot.
        self._read = self._cache.__getitem__
        self._renew_after_s = ttl_s / 10

    def get(self, listener: str) -> ListenerRecord | None:
        """Give the record of a listener, or None."""
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

    def forget(self, listener: str) -> bool:
        """Delete the record of a listener; return whether there was one."""
        return self._cache.pop(listener, None) is not None

    def __len__(self) -> int:
        return len(self._cache)
