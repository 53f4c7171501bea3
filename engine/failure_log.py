"""The tracebacks of strategies that fail: one a minute per strategy, with a count."""

import logging
from collections.abc import Callable

from core.limited_log import EVERY_S as EVERY_S
from core.limited_log import LimitedLog

LOG = logging.getLogger("segue")


class FailureLog:
    """Logs failures of strategies, so that a thousand of them do not fill the disk.

    Args:
        now_s: Seconds on a clock that never goes back.
    """

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._log = LimitedLog(LOG, now_s, "more failures since the last traceback")

    def record(self, strategy: str, error: BaseException, decision: str = "") -> None:
        """Log a failure with its traceback, or count it if the last one was logged just before.

        Args:
            strategy: Name of the strategy.
            error: What it raised.
            decision: Id of the decision that it failed in.
        """
        extra = {"decision": decision}
        self._log.error(strategy, "strategy '%s' failed", strategy, exc_info=error, extra=extra)
