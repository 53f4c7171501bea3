"""The tracebacks of strategies that fail: one a minute per strategy, with a count."""

import logging
from collections.abc import Callable

LOG = logging.getLogger("segue")
EVERY_S = 60.0


class FailureLog:
    """Logs failures of strategies, so that a thousand of them do not fill the disk.

    Args:
        now_s: Seconds on a clock that never goes back.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._logged_s: dict[str, float] = {}
        self._unlogged: dict[str, int] = {}

    def record(self, strategy: str, error: Exception) -> None:
        """Log a failure with its traceback, or count it if the last one was logged just before."""
        now_s = self._now_s()
        before_s = self._logged_s.get(strategy)
        if before_s is not None and now_s - before_s < EVERY_S:
            self._unlogged[strategy] = self._unlogged.get(strategy, 0) + 1
            return
        count = self._unlogged.pop(strategy, 0)
        since = f"; {count:,} more failures since the last traceback" if count else ""
        LOG.error("strategy '%s' failed%s", strategy, since, exc_info=error)
        self._logged_s[strategy] = now_s
