"""The schedule: a round every so often, which survives restarts and ends cleanly."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from core.errors import InputError, SegueError

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
ROUND_OUTCOMES = ("round", "failed")


def parse_period(text: str) -> int:
    """Parse a period as `1d`, `12h`, `30m` or `45s`, in seconds.

    Raises:
        InputError: It is none.
    """
    found = re.fullmatch(r"(\d{1,6})\s*([smhdw])", text.strip())
    if found is None or not int(found[1]):
        raise InputError.one("--every", f"must be a period as 1d, 12h or 30m, got {text!r}")
    return int(found[1]) * _UNITS_S[found[2]]


def due_in_s(decisions: Sequence[Mapping[str, Any]], period_s: int, now_ms: int) -> float:
    """Compute the time until the next round, from the last one in the ledger; 0 if it is due."""
    last = [each["at_ms"] for each in decisions if each["outcome"] in ROUND_OUTCOMES]
    if not last:
        return 0.0
    # A clock that was set back must not make the loop wait for more than a period.
    return min(float(period_s), max(0.0, float(last[-1]) / 1000 + period_s - now_ms / 1000))


def run_every(
    period_s: int,
    take_round: Callable[[], None],
    decisions: Callable[[], Sequence[Mapping[str, Any]]],
    now_ms: Callable[[], int],
    wait: Callable[[float], bool],
    say: Callable[[str], object],
) -> None:
    """Take a round whenever one is due; a failed round is said, and the next one comes in time.

    Args:
        period_s: Time between two rounds, in seconds.
        take_round: Takes one.
        decisions: Reads the ledger.
        now_ms: Unix time in ms.
        wait: Waits for so many seconds; True if the user wants to stop.
        say: Gets each sentence.
    """
    while True:
        left_s = due_in_s(decisions(), period_s, now_ms())
        if left_s > 0:
            say(f"The next round is due in {_in_words(left_s)}. Ctrl-C stops.")
        if wait(left_s):
            return
        try:
            take_round()
        except SegueError as error:
            say(f"the round failed: {error}")


def _in_words(seconds: float) -> str:
    for unit, name in ((86_400, "days"), (3600, "hours"), (60, "minutes")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.1f} {name}"
    return f"{seconds:.0f} s"
