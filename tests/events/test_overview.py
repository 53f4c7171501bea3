"""The overview of a log."""

from pathlib import Path
from typing import Any

import pytest

from events.overview import overview
from events.reader import open_log
from tests.logs import Plan, listening, write_botify, write_ours

FOLLOW = "do events follow on one another"


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    return listening(Plan(listeners=40))


@pytest.mark.parametrize(
    ("write", "form"), [(write_ours, "ours"), (write_botify, "botify")], ids=["ours", "botify"]
)
def test_events_of_a_whole_log_follow_on_one_another(
    write: Any, form: str, events: list[dict[str, Any]], tmp_path: Path
) -> None:
    write(tmp_path, events, servers=2)
    with open_log([tmp_path]) as log:
        (row,) = overview(log)[FOLLOW]
        sessions = log.one("SELECT count(*) FROM sessions")
    assert row == {
        "format": form,
        "events after the first of a session": len(events) - sessions,
        "of another track": 0,
        "after a missing turn": 0,
    }


def test_a_servers_missing_file_shows(events: list[dict[str, Any]], tmp_path: Path) -> None:
    for write in (write_ours, write_botify):
        write(tmp_path, events, servers=3)[1].unlink()
    with open_log([tmp_path]) as log:
        botify, ours = overview(log)[FOLLOW]
    assert botify["of another track"] > 10
    assert (botify["after a missing turn"], ours["after a missing turn"] > 10) == (0, True)


def test_every_arm_and_day_is_counted(events: list[dict[str, Any]], tmp_path: Path) -> None:
    write_ours(tmp_path, events)
    with open_log([tmp_path]) as log:
        found = overview(log)
    assert sum(row["listeners"] for row in found["experiments"]) == 40
    assert sum(row["events"] for row in found["days"]) == len(events)
    assert [row["config"] for row in found["configs"]] == ["0123456789ab"]
    assert found["dropped lines"] == []
