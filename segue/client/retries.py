"""Retries of a failed request: their number, their pauses, and the answers that lead to one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

PASSING = frozenset({429, 500, 502, 503, 504})
"""Statuses that may be gone at the next attempt; every further status would come again."""


@dataclass(frozen=True, slots=True)
class Retries:
    """The rule by which the client retries a request.

    The pause before attempt n + 1 is random between 0 and `first_s` * 2 ** (n - 1), so that clients
    that failed together do not come back together. The server's `Retry-After` is added to it.

    Attributes:
        attempts: Most attempts; 1 means no retry.
        first_s: Upper end of the first pause, in seconds; it doubles with each attempt.
        longest_s: Upper end of every later pause, in seconds.
        patience_s: The longest `Retry-After` to wait for, in seconds; a longer one is an error.
    """

    attempts: int = 4
    first_s: float = 0.1
    longest_s: float = 5.0
    patience_s: float = 30.0

    def pause_s(
        self, attempt: int, retry_after_s: float | None, draw: Callable[[], float]
    ) -> float | None:
        """Choose the pause after a failed attempt; None if it was the last one.

        Args:
            attempt: Number of the attempt that failed, from 1.
            retry_after_s: The server's `Retry-After`, or None.
            draw: Gives a random number in [0, 1).
        """
        asked_s = retry_after_s or 0.0
        if attempt >= self.attempts or asked_s > self.patience_s:
            return None
        return asked_s + draw() * min(self.longest_s, self.first_s * 2.0 ** (attempt - 1))


DEFAULT = Retries()


def retry_after_s(header: str | None, now: datetime | None = None) -> float | None:
    """Read `Retry-After`, which is a number of seconds or a date; None if it is neither."""
    if header is None:
        return None
    if header.strip().isdecimal():
        return float(header)
    try:
        until = parsedate_to_datetime(header)
    except ValueError:
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (aware - (now or datetime.now(UTC))).total_seconds())
