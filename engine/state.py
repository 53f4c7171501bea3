"""Where listeners' histories are kept between turns."""

from collections.abc import Callable
from typing import Protocol

from cachetools import TTLCache

from core.listener import History


class StateStore(Protocol):
    """Keeps histories by listener id.

    The dispatcher gets a history, changes it, and keeps it, without a pause in between.
    """

    def get(self, listener: str) -> History | None:
        """The history of a listener, or None if none is known (any more)."""

    def keep(self, listener: str, history: History) -> None:
        """Keep a history after a turn; its time to live begins anew."""

    def __len__(self) -> int:
        """How many listeners are known."""


class MemoryState:
    """Histories of one process: least recently seen out first, and after `ttl_s` of silence.

    `TTLCache` renews nothing on reading, so a listener is put in again, but only when a tenth of
    its time has gone: putting in costs more than all else here.

    Args:
        max_listeners: How many are kept.
        ttl_s: How long without a turn, in seconds.
        timer: Seconds on a clock that never goes back.
    """

    def __init__(self, max_listeners: int, ttl_s: float, timer: Callable[[], float]) -> None:
        self._cache: TTLCache[str, History] = TTLCache(max_listeners, ttl_s, timer)
        self._timer = timer
        # Bound once: by subscript, the interpreter would come here through C.
        self._read = self._cache.__getitem__
        self._renew_after_s = ttl_s / 10

    def get(self, listener: str) -> History | None:
        """The history of a listener, or None."""
        try:
            return self._read(listener)
        except KeyError:
            return None

    def keep(self, listener: str, history: History) -> None:
        """Keep a history; renew its time to live when a tenth of it has gone."""
        now = self._timer()
        if history.renewed_s == 0.0 or now - history.renewed_s >= self._renew_after_s:
            history.renewed_s = now
            self._cache[listener] = history

    def __len__(self) -> int:
        return len(self._cache)
