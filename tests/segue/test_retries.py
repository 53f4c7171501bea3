"""Retries: pauses that grow, are random, and end."""

from datetime import UTC, datetime

import pytest

from segue.client.retries import Retries, retry_after_s

NOW = datetime(2026, 11, 26, 12, 0, 0, tzinfo=UTC)


def test_pauses_double_up_to_the_longest():
    retries = Retries(attempts=6, first_s=0.5, longest_s=3.0)
    ends = [retries.pause_s(attempt, None, lambda: 1.0) for attempt in range(1, 6)]
    assert ends == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_a_pause_is_anything_between_nothing_and_its_upper_end():
    assert Retries(first_s=0.5).pause_s(1, None, lambda: 0.0) == 0.0
    assert Retries(first_s=0.5).pause_s(1, None, lambda: 0.5) == 0.25


def test_the_last_attempt_has_no_pause_after_it():
    assert Retries(attempts=2).pause_s(1, None, lambda: 0.5) is not None
    assert Retries(attempts=2).pause_s(2, None, lambda: 0.5) is None
    assert Retries(attempts=1).pause_s(1, None, lambda: 0.5) is None


def test_what_the_server_asks_for_comes_on_top_up_to_the_patience():
    retries = Retries(first_s=0.5, patience_s=10)
    assert retries.pause_s(1, 10, lambda: 0.5) == 10.25
    assert retries.pause_s(1, 10.5, lambda: 0.5) is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("7", 7.0),
        (" 120 ", 120.0),
        ("Thu, 26 Nov 2026 12:00:05 GMT", 5.0),
        ("Thu, 26 Nov 2026 12:00:05 -0000", 5.0),
        ("Thu, 26 Nov 2026 11:59:00 GMT", 0.0),
        ("soon", None),
        ("-1", None),
        ("", None),
    ],
    ids=["absent", "seconds", "padded", "date", "date-without-zone", "past", "word", "minus", "no"],
)
def test_retry_after_is_a_number_of_seconds_or_a_date(header, seconds):
    assert retry_after_s(header, NOW) == seconds
