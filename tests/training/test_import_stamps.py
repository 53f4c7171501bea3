"""Times of listens: the unit is told by what is plausible, and everything else is named."""

from contextlib import suppress
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.importers.bad_line import BadLine
from training.importers.stamps import DAY_MS, EARLIEST_S, moment_ms, parse_number

NOW = datetime(2026, 11, 26, tzinfo=UTC)
NOW_MS = NOW.timestamp() * 1000
AT_MS = 1_711_857_600_000


def read(value: object) -> int:
    return moment_ms(value, 3, NOW_MS)


def fault(value: object) -> str:
    with pytest.raises(BadLine) as caught:
        read(value)
    assert caught.value.column == 3
    assert caught.value.got is value
    return caught.value.reason


@pytest.mark.parametrize(
    "value",
    [
        1711857600, 1711857600.0, "1711857600", " 1711857600 ", "1711857600.0", "1.7118576e9",
        1711857600000, "1711857600000", 1711857600000000, "1711857600000000",
        1711857600000000000, "2024-03-31T04:00:00Z", "2024-03-31 04:00:00", "2024-03-31 04:00",
        "2024-03-31T06:00:00+02:00", "2024-03-31 04:00:00 UTC", "20240331T040000Z",
        datetime(2024, 3, 31, 4), datetime(2024, 3, 31, 4, tzinfo=UTC),
    ],
    ids=repr,
)  # fmt: skip
def test_one_time_is_read_in_every_spelling(value: object) -> None:
    assert read(value) == AT_MS


def test_a_date_is_its_midnight() -> None:
    assert read(date(2024, 3, 31)) == read("2024-03-31") == AT_MS - 4 * 3_600_000


@given(st.datetimes(datetime(1990, 1, 2), datetime(2026, 11, 25)))
def test_the_units_never_overlap(moment: datetime) -> None:
    at_ms = int(moment.replace(tzinfo=UTC).timestamp()) * 1000
    for scale in (1, 1000, 10**6):
        assert read(at_ms * scale) == at_ms
    assert read(at_ms // 1000) == at_ms


DATE = "time of the listen looks like a date; write 20240105 as 2024-01-05"
SHEET = "time of the listen looks like a spreadsheet's day number"
NUMBER = "time of the listen must be Unix time between 1990 and now"
WHAT = "time of the listen must be ISO 8601 or Unix time"


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("20240105", DATE), (20240105, DATE), (20240105.0, DATE), (202401051230, DATE),
        ("2024010512", DATE), ("20240105123059", DATE),
        ("45296.5", SHEET), (45296, SHEET), (63842.25, SHEET),
        (0, NUMBER), (-5, NUMBER), (1000, NUMBER), (63_000_000_000, NUMBER), (1e30, NUMBER),
        ("yesterday", WHAT), ("", WHAT), ("24:00", WHAT), ("31.03.2024 04:00", WHAT),
        ("1_711_857_600", WHAT), ("١٧١١٨٥٧٦٠٠", WHAT), ("nan", WHAT), ("inf", WHAT),
        (float("nan"), WHAT), (True, WHAT), (None, WHAT), ([1], WHAT), ({}, WHAT), (b"1", WHAT),
        ("0001-01-01T00:00:00+23:59", "time of the listen must be 1990 or later"),
        ("1969-12-31", "time of the listen must be 1990 or later"),
        ("1970-01-01T00:00:01.704103", "time of the listen must be 1990 or later"),  # pandas' own
        (datetime(1970, 1, 1), "time of the listen must be 1990 or later"),
        ("2099-01-01", "time of the listen must not be in the future"),
        ("9999-12-31T23:59:59-23:59", "time of the listen must not be in the future"),
        (datetime(2099, 1, 1), "time of the listen must not be in the future"),
    ],
    ids=repr,
)  # fmt: skip
def test_what_is_no_plausible_time_is_named(value: object, reason: str) -> None:
    assert fault(value).startswith(reason)


def test_a_clock_may_be_a_day_ahead() -> None:
    assert read((NOW_MS + DAY_MS) / 1000) == NOW_MS + DAY_MS
    assert fault((NOW_MS + DAY_MS) / 1000 + 1) == NUMBER


@given(st.floats() | st.integers() | st.text() | st.booleans() | st.binary() | st.datetimes())
def test_any_value_is_a_time_or_a_bad_line(value: object) -> None:
    with suppress(BadLine):
        assert EARLIEST_S * 1000 <= read(value) <= NOW_MS + DAY_MS


def test_numbers_are_what_a_person_would_call_a_number() -> None:
    assert [parse_number(x) for x in ("7", " 7.5 ", "-1e3", 7, 7.5)] == [7, 7.5, -1000, 7, 7.5]
    for other in ("", "1_000", "0x10", "nan", "1,5", None, True, "٣", float("inf"), 10**400, "7 8"):
        assert parse_number(other) is None
