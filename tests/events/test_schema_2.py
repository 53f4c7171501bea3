"""Reading what schema 2 adds: unplaced turns, ids without gaps, file ends, retried lines."""

from pathlib import Path
from typing import Any

import orjson
import pytest

from events.collection import collect
from events.compaction import compact
from events.reader import open_log
from tests.logs import START_MS, Plan, listening, text, write_ours


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    """Events of one process in schema 2, its ids counting its lines."""
    made = listening(Plan(listeners=30))
    return [
        {**event, "schema": 2, "decision": f"0123456789ab-{number:x}", "took_us": 20.0}
        for number, event in enumerate(made, start=1)
    ]


def with_end(folder: Path, events: list[dict[str, Any]]) -> Path:
    (path,) = write_ours(folder, events)
    end = {"lines": len(events), "bytes": path.stat().st_size, "last": events[-1]["decision"]}
    path.with_suffix(".end.json").write_bytes(orjson.dumps(end))
    return path


def test_turns_without_a_place_are_no_events(events: list[dict[str, Any]], tmp_path: Path) -> None:
    degraded = {**events[0], "decision": "x-1", "degraded": True, "session": None, "turn": None}
    error = {**events[0], "decision": "x-2", "message": "error", "session": None, "turn": None}
    error["failed"] = [{"strategy": "a", "error": "late"}]
    write_ours(tmp_path, [*events, degraded, error])

    with open_log([tmp_path]) as log:
        assert log.query("SELECT * FROM dropped") == []
        assert log.one("SELECT count(*) FROM events") == len(events)
        unplaced = log.query("SELECT message, degraded, failed FROM unplaced ORDER BY 1")

    assert unplaced == [
        ("error", False, '[{"strategy":"a","error":"late"}]'),
        (events[0]["message"], True, None),
    ]


def test_a_botify_line_may_not_be_an_error(tmp_path: Path) -> None:
    line = {"message": "error", "timestamp": START_MS, "user": 1}
    good = {**line, "message": "last", "track": 1, "time": 1.0}
    (tmp_path / "b.json").write_bytes(text([line, good]))

    with open_log([tmp_path]) as log:
        assert log.query("SELECT reason, lines FROM dropped") == [("unknown message", 1)]


def test_a_seat_on_the_board_is_left_out_like_a_forced_arm(
    events: list[dict[str, Any]], tmp_path: Path
) -> None:
    user = events[0]["user"]
    write_ours(tmp_path, [{**e, "seat": True} if e["user"] == user else e for e in events])

    with open_log([tmp_path]) as log:
        assert log.query('SELECT "user", reason FROM excluded') == [(str(user), "forced")]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"key": "k"}, "retried decision"),
        ({}, "repeated decision"),
        ({"key": "k", "track": 499_999}, "repeated decision"),
    ],
    ids=["with a key", "without a key", "with other content"],
)
def test_only_a_request_with_a_key_may_write_its_line_again(
    change: dict[str, Any], reason: str, events: list[dict[str, Any]], tmp_path: Path
) -> None:
    first = events[0] | {key: value for key, value in change.items() if key == "key"}
    write_ours(tmp_path, [first, *events[1:], events[0] | change])

    with open_log([tmp_path]) as log:
        assert log.query("SELECT reason, lines FROM dropped") == [(reason, 1)]
        assert log.query("SELECT * FROM written_ids") == [
            ("0123456789ab", 1, len(events), len(events))
        ]


def test_ids_and_ends_survive_collection_and_compaction(
    events: list[dict[str, Any]], tmp_path: Path
) -> None:
    with_end(tmp_path / "log", events)
    collect([str(tmp_path / "log")], tmp_path / "collected")
    compact([tmp_path / "collected"], tmp_path / "parquet")

    for folder in ("log", "collected", "parquet"):
        with open_log([tmp_path / folder]) as log:
            ids = log.query("SELECT * FROM written_ids")
            ends = log.query("SELECT DISTINCT lines, last FROM file_ends")
        assert ids == [("0123456789ab", 1, len(events), len(events))]
        assert ends == [(len(events), events[-1]["decision"])]


def test_fields_of_schema_2_survive_compaction(
    events: list[dict[str, Any]], tmp_path: Path
) -> None:
    more = {"failed": [{"strategy": "a", "error": "late"}], "filter": {"year": 2000}, "seat": True}
    write_ours(tmp_path / "log", [events[0] | more, *events[1:]])
    compact([tmp_path / "log"], tmp_path / "parquet")

    query = 'SELECT failed, "filter", seat, took_us FROM events WHERE failed IS NOT NULL'
    with open_log([tmp_path / "parquet"]) as log:
        assert log.query(query) == [
            ('[{"strategy":"a","error":"late"}]', '{"year":2000}', True, 20.0)
        ]


def test_a_window_does_not_change_the_ids(events: list[dict[str, Any]], tmp_path: Path) -> None:
    write_ours(tmp_path, events)

    with open_log([tmp_path], since_ms=events[len(events) // 2]["timestamp"]) as log:
        assert log.query("SELECT last_id, ids FROM written_ids") == [(len(events), len(events))]
