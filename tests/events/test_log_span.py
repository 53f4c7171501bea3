"""The span of a log: one wrong clock decides neither where it begins nor where it ends."""

from pathlib import Path
from typing import Any

import pytest

from events.reader import open_log
from tests.logs import DAY_MS, START_MS, Plan, listening, write_botify, write_ours

YEAR_2099 = 4_086_547_200_000


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    return listening(Plan(listeners=100))


def span(folder: Path) -> tuple[list[Any], list[Any]]:
    with open_log([folder]) as log:
        return log.query("SELECT * FROM log_span"), log.query(
            "SELECT line, at_ms FROM odd_stamps ORDER BY line"
        )


@pytest.mark.parametrize("write", [write_ours, write_botify], ids=["ours", "botify"])
def test_a_sound_log_spans_all_its_stamps(
    write: Any, events: list[dict[str, Any]], tmp_path: Path
) -> None:
    write(tmp_path, events, servers=3)
    stamps = [event["timestamp"] for event in events]

    assert span(tmp_path) == ([(min(stamps), max(stamps))], [])


@pytest.mark.parametrize("place", [0, 5, 200, -5, -1])
@pytest.mark.parametrize("stamp", [YEAR_2099, START_MS - 400 * DAY_MS, 5])
def test_one_wrong_stamp_is_odd_wherever_it_stands(
    place: int, stamp: int, events: list[dict[str, Any]], tmp_path: Path
) -> None:
    line = range(len(events))[place]
    changed = [{**e, "timestamp": stamp} if n == line else e for n, e in enumerate(events)]
    write_ours(tmp_path, changed)
    rest = [event["timestamp"] for n, event in enumerate(events) if n != line]

    assert span(tmp_path) == ([(min(rest), max(rest))], [(line + 1, stamp)])


def test_one_wrong_stamp_ends_no_open_session(events: list[dict[str, Any]], tmp_path: Path) -> None:
    cut = [e for e in events if e["message"] == "next"]
    last = max(event["timestamp"] for event in cut)
    write_ours(tmp_path / "right", cut)
    changed = [{**e, "timestamp": YEAR_2099} if n == 50 else e for n, e in enumerate(cut)]
    write_ours(tmp_path / "wrong", changed)

    query = "SELECT count(*) FROM sessions WHERE ended_by = 'open'"
    with open_log([tmp_path / "right"], gap_s=DAY_MS / 1000) as log:
        right = log.one(query)
    with open_log([tmp_path / "wrong"], gap_s=DAY_MS / 1000) as log:
        assert log.one(query) == right > 10
        assert log.one("SELECT end_ms FROM log_span") == last


def test_a_server_that_counts_seconds_does_not_set_the_begin(
    events: list[dict[str, Any]], tmp_path: Path
) -> None:
    seconds = [
        {**e, "timestamp": e["timestamp"] // 1000} if n % 2 else e for n, e in enumerate(events)
    ]
    write_ours(tmp_path, seconds, servers=2)
    rest = [event["timestamp"] for event in events[::2]]

    (found,), odd = span(tmp_path)
    assert found == (min(rest), max(rest))
    assert len(odd) == len(events) // 2


def test_a_log_wholly_in_1970_spans_what_it_says(
    events: list[dict[str, Any]], tmp_path: Path
) -> None:
    write_ours(tmp_path, [{**e, "timestamp": e["timestamp"] // 1000} for e in events])

    (found,), odd = span(tmp_path)
    assert found == (events[0]["timestamp"] // 1000, events[-1]["timestamp"] // 1000)
    assert len(odd) == len(events)


def test_a_file_that_is_sorted_by_listener_has_no_odd_stamp(
    events: list[dict[str, Any]], tmp_path: Path
) -> None:
    write_ours(tmp_path, sorted(events, key=lambda e: (e["user"], e["turn"])))
    stamps = [event["timestamp"] for event in events]

    assert span(tmp_path) == ([(min(stamps), max(stamps))], [])


def test_a_slow_log_has_no_odd_stamp(events: list[dict[str, Any]], tmp_path: Path) -> None:
    slow = [{**e, "timestamp": START_MS + n * DAY_MS} for n, e in enumerate(events[:300])]
    write_ours(tmp_path, slow)

    assert span(tmp_path)[1] == []
