"""Compaction: the same events in Parquet, however often it runs."""

from pathlib import Path
from typing import Any

import pytest

from core.errors import InputError
from events.compaction import compact
from events.reader import EventLog, open_log
from tests.logs import DAY_MS, START_MS, Plan, listening, text, write_botify, write_ours


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    return listening(Plan(listeners=50, days=3, before_days=1, labels={"colour": ["blue", "red"]}))


def tables(log: EventLog) -> dict[str, list[Any]]:
    return {
        table: log.query(f"SELECT {columns} FROM {table} ORDER BY ALL")
        for table, columns in {
            "events": "* EXCLUDE (file_id, line)",
            "sessions": "*",
            "listeners": "*",
        }.items()
    }


def parquet(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*.parquet"))
    }


@pytest.mark.parametrize("write", [write_ours, write_botify], ids=["ours", "botify"])
def test_parquet_reads_like_the_json_lines(
    write: Any, events: list[dict[str, Any]], tmp_path: Path
) -> None:
    write(tmp_path / "log", events, servers=2)
    compact([tmp_path / "log"], tmp_path / "parquet")
    with open_log([tmp_path / "log"]) as lines, open_log([tmp_path / "parquet"]) as packed:
        assert tables(packed) == tables(lines)
        assert {kind for (kind,) in packed.query("SELECT format FROM files")} == {"parquet"}


def test_parquet_lies_by_day_and_experiment(events: list[dict[str, Any]], tmp_path: Path) -> None:
    write_ours(tmp_path / "log", events)
    compact([tmp_path / "log"], tmp_path / "parquet")
    days = {(event["timestamp"] - START_MS) // DAY_MS for event in events}
    folders = {Path(name).parent.as_posix() for name in parquet(tmp_path / "parquet")}
    assert all(folder.startswith("day=2026-") for folder in folders)
    assert {folder.rpartition("experiment=")[2] for folder in folders} == {
        "none",
        "colour__fallback",
    }
    assert len({folder.partition("/")[0] for folder in folders}) >= len(days) - 1


def test_a_second_compaction_does_nothing_and_a_fresh_one_writes_the_same_bytes(
    events: list[dict[str, Any]], tmp_path: Path
) -> None:
    write_ours(tmp_path / "log", events, servers=2)
    first = compact([tmp_path / "log"], tmp_path / "parquet")
    before = parquet(tmp_path / "parquet")
    again = compact([tmp_path / "log"], tmp_path / "parquet")
    compact([tmp_path / "log"], tmp_path / "fresh")
    assert (first.written, again.written) == (2, 0)
    assert parquet(tmp_path / "parquet") == before == parquet(tmp_path / "fresh")


def test_the_parquet_of_a_grown_file_is_replaced(
    events: list[dict[str, Any]], tmp_path: Path
) -> None:
    log = tmp_path / "events.jsonl"
    log.write_bytes(text(events[:100]))
    compact([log], tmp_path / "parquet")
    log.write_bytes(text(events))
    done = compact([log], tmp_path / "parquet")
    (part,) = done.parts.values()
    assert part.events == len(events)
    assert sorted(parquet(tmp_path / "parquet")) == sorted(part.files)
    with open_log([tmp_path / "parquet"]) as read:
        assert read.query("FROM dropped") == []
        assert read.one("SELECT count(*) FROM events") == len(events)


def test_every_line_is_in_parquet_or_counted(events: list[dict[str, Any]], tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    log.write_bytes(b"\n" + text(events) + text(events[:1]) + b'{"message": \xff}\n{"mess')
    (part,) = compact([log], tmp_path / "parquet").parts.values()
    assert part.dropped == {"blank line": 1, "not UTF-8": 1, "torn line": 1}
    assert part.lines == len(events) + 4
    assert part.events == len(events) + 1


def test_a_file_without_any_event_gives_no_parquet(tmp_path: Path) -> None:
    (tmp_path / "noise.log").write_text("hello\n")
    (part,) = compact([tmp_path / "noise.log"], tmp_path / "parquet").parts.values()
    assert (part.events, part.files, part.dropped) == (0, [], {"not JSON": 1})


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", r"compacted\.json: must be as `segue logs compact` wrote it"),
        ('{"a": {"b": 1}}', r"compacted\.json: must be as `segue logs compact` wrote it"),
    ],
    ids=["no-json", "other-json"],
)
def test_a_damaged_destination_is_refused(
    content: str, message: str, events: list[dict[str, Any]], tmp_path: Path
) -> None:
    write_ours(tmp_path / "log", events)
    (tmp_path / "parquet").mkdir()
    (tmp_path / "parquet" / "compacted.json").write_text(content)
    with pytest.raises(InputError, match=message):
        compact([tmp_path / "log"], tmp_path / "parquet")


def test_a_file_with_only_the_first_bytes_of_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(InputError, match=r"x\.parquet: is not Parquet that"):
        open_log([tmp_path / "x.parquet"])


def test_config_snapshots_are_copied_as_well(events: list[dict[str, Any]], tmp_path: Path) -> None:
    write_ours(tmp_path / "log", events)
    (tmp_path / "log" / "configs").mkdir()
    (tmp_path / "log" / "configs" / "0123456789ab.json").write_text("{}")
    compact([tmp_path / "log"], tmp_path / "parquet")
    assert (tmp_path / "parquet" / "configs" / "0123456789ab.json").read_text() == "{}"
    with open_log([tmp_path / "parquet"]) as log:
        assert log.query("FROM dropped") == []
