"""Limited log: of messages that may come a thousand times a second, one line a minute, and a count.

A disk that is full refuses every turn. A line for each of them would fill what is left of it.
"""

import logging
from collections.abc import Callable
from typing import Any

EVERY_S = 60.0


class LimitedLog:
    """A logger that writes one line a minute about each subject.

    Args:
        log: The logger.
        now_s: Seconds on a clock.
        counted: What the count of left out lines says after the number.
    """

    def __init__(
        self,
        log: logging.Logger,
        now_s: Callable[[], float],
        counted: str = "more since the last such line",
    ) -> None:
        self._log = log
        self._now_s = now_s
        self._counted = counted
        self._written_s: dict[str, float] = {}
        self._unwritten: dict[str, int] = {}

    def error(self, subject: str, message: str, *args: object, **more: Any) -> None:
        """Log an error, or count it if a line about the same subject was written just before.

        Args:
            subject: What the limit holds for.
            message: The message; the next line about the subject ends in the count of those that
                were left out.
            args: Values for the message.
            more: `exc_info` and `extra`, as for a logger.
        """
        self._write(logging.ERROR, subject, message, args, more)

    def warning(self, subject: str, message: str, *args: object) -> None:
        """Log a warning in the same way."""
        self._write(logging.WARNING, subject, message, args, {})

    def is_due(self, subject: str) -> bool:
        """Test whether a line about a subject would be written, and not only counted."""
        before_s = self._written_s.get(subject)
        # A clock that was set back must not silence the log.
        return before_s is None or abs(self._now_s() - before_s) >= EVERY_S

    def _write(
        self,
        level: int,
        subject: str,
        message: str,
        args: tuple[object, ...],
        more: dict[str, Any],
    ) -> None:
        if not self.is_due(subject):
            self._unwritten[subject] = self._unwritten.get(subject, 0) + 1
            return
        if count := self._unwritten.pop(subject, 0):
            message += f"; {count:,} {self._counted}"
        self._written_s[subject] = self._now_s()
        self._log.log(level, message, *args, **more)
