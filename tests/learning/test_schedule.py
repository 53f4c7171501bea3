"""The schedule: when the next round is due, also after a restart, and how it ends."""

from typing import Any

import pytest

from core.errors import InputError, SegueError
from learning.schedule import due_in_s, parse_period, run_every


class Days:
    """A clock that a wait moves on, and a ledger that a round writes."""

    def __init__(self, rounds: int) -> None:
        self.at_s = 1_000_000.0
        self.ledger: list[dict[str, Any]] = []
        self.waited: list[float] = []
        self.said: list[str] = []
        self._left = rounds

    def now_ms(self) -> int:
        return round(self.at_s * 1000)

    def wait(self, seconds: float) -> bool:
        if self._left == 0:
            return True
        self._left -= 1
        self.waited.append(seconds)
        self.at_s += seconds
        return False

    def take_round(self) -> None:
        self.at_s += 600
        self.ledger.append({"outcome": "round", "at_ms": self.now_ms()})
        self.at_s += 60

    def run(self, take_round: Any = None) -> None:
        run_every(
            86_400,
            take_round or self.take_round,
            lambda: self.ledger,
            self.now_ms,
            self.wait,
            self.said.append,
        )


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("1d", 86_400), ("12h", 43_200), ("30m", 1800), ("45s", 45), (" 2 w", 1_209_600)],
)
def test_a_period_has_a_number_and_a_unit(text: str, seconds: int) -> None:
    assert parse_period(text) == seconds


@pytest.mark.parametrize("text", ["", "1", "d", "0d", "-1d", "1.5h", "1y", "tomorrow"])
def test_a_period_of_a_different_form_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"--every: must be a period as 1d"):
        parse_period(text)


def test_the_first_round_is_due_at_once_and_the_next_a_period_after_it() -> None:
    days = Days(3)
    days.run()
    assert days.waited == [0, 86_340, 86_340]
    assert days.said[0] == "The next round is due in 24.0 hours. Ctrl-C stops."


def test_a_restart_waits_for_the_rest_of_the_period() -> None:
    days = Days(1)
    days.ledger = [{"outcome": "round", "at_ms": days.now_ms() - 80_000_000}]
    days.run()
    assert days.waited == [6400]


def test_a_restart_after_a_long_rest_takes_one_round_and_not_all_that_were_missed() -> None:
    days = Days(2)
    days.ledger = [{"outcome": "round", "at_ms": days.now_ms() - 10 * 86_400_000}]
    days.run()
    assert days.waited == [0, 86_340]


def test_a_failed_round_counts_so_that_it_is_not_tried_again_at_once() -> None:
    days = Days(2)

    def fail() -> None:
        days.ledger.append({"outcome": "failed", "at_ms": days.now_ms()})
        raise SegueError("the disk is full")

    days.run(fail)
    assert days.waited == [0, 86_400]
    assert days.said[0] == "the round failed: the disk is full"


def test_a_clock_that_was_set_back_delays_a_round_by_one_period_at_most() -> None:
    decisions = [{"outcome": "round", "at_ms": 10 * 86_400_000}]
    assert due_in_s(decisions, 3600, 1000) == 3600
