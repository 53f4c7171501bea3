"""Retention: an event file goes only if Parquet holds it, and nobody may still write to it."""

import json
import os
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import CliRunner, Result

from cli.main import build
from events.compaction import CompactionResult, compact
from events.reader import EventLog, open_log
from events.retention import remove_old
from tests.logs import Plan, listening, write_botify, write_ours
from tests.service import write_config

DAY_S = 86_400
NOW_S = 1_800_000_000


@pytest.fixture(scope="module")
def events() -> list[dict[str, Any]]:
    return listening(Plan(listeners=30, labels={"colour": ["blue", "red"]}))


def aged(path: Path, days: float, *, ended: bool = True) -> Path:
    """Give a file its age, and the end that an orderly stop records."""
    os.utime(path, (NOW_S - days * DAY_S, NOW_S - days * DAY_S))
    if ended:
        end = {"lines": path.read_bytes().count(b"\n"), "bytes": 0, "last": "x-1"}
        path.with_suffix(".end.json").write_text(json.dumps(end))
    return path


def retire(folder: Path, done: CompactionResult, *, remove: bool) -> dict[str, str]:
    """Remove what is older than 30 days; give the reason to keep of each old file."""
    since_s = NOW_S - 30 * DAY_S
    old = remove_old([folder / "log"], folder / "parquet", done.parts, since_s, remove=remove)
    return {each.path.name: each.kept for each in old}


def sessions(log: EventLog) -> list[Any]:
    return log.query("SELECT * FROM sessions ORDER BY ALL")


def test_old_files_go_and_their_events_stay(tmp_path: Path, events: list[dict[str, Any]]) -> None:
    old, young = write_ours(tmp_path / "log", events, servers=2)
    aged(old, 31)
    aged(young, 29)
    with open_log([tmp_path / "log"]) as log:
        before = sessions(log)
    done = compact([tmp_path / "log"], tmp_path / "parquet")
    assert retire(tmp_path, done, remove=False) == {old.name: ""}
    assert old.exists()
    assert retire(tmp_path, done, remove=True) == {old.name: ""}
    assert sorted(path.name for path in (tmp_path / "log").iterdir()) == [
        young.with_suffix(".end.json").name,
        young.name,
    ]
    with open_log([tmp_path / "parquet"]) as log:
        assert sessions(log) == before
    again = compact([tmp_path / "log"], tmp_path / "parquet")
    assert len(again.parts) == 2
    assert again.written == 0


@pytest.mark.parametrize("packed", [False, True])
def test_logs_of_botify_are_compared_too(
    tmp_path: Path, events: list[dict[str, Any]], packed: bool
) -> None:
    paths = write_botify(tmp_path / "log", events, packed=packed)
    for path in paths:
        aged(path, 40, ended=False)
    done = compact([tmp_path / "log"], tmp_path / "parquet")
    assert set(retire(tmp_path, done, remove=True).values()) == {""}
    assert list((tmp_path / "log").iterdir()) == []


def change_a_value(folder: Path) -> None:
    parquet = next(iter(sorted(folder.rglob("*.parquet"))))
    changed = parquet.with_suffix(".changed")
    duckdb.execute(
        f"COPY (SELECT * REPLACE (CASE WHEN file_row_number = 0 THEN 'x' ELSE track END AS track) "
        f"FROM read_parquet('{parquet}', file_row_number = true)) TO '{changed}' (FORMAT parquet)"
    )
    changed.replace(parquet)


def lose_a_file(folder: Path) -> None:
    next(iter(sorted(folder.rglob("*.parquet")))).unlink()


def fill_with_garbage(folder: Path) -> None:
    next(iter(sorted(folder.rglob("*.parquet")))).write_bytes(b"PAR1 garbage")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (change_a_value, "events, Parquet has"),
        (lose_a_file, "its Parquet cannot be read"),
        (fill_with_garbage, "its Parquet cannot be read"),
    ],
)
def test_a_file_stays_whose_parquet_is_not_what_it_was(
    tmp_path: Path, events: list[dict[str, Any]], spoil: Any, reason: str
) -> None:
    [path] = write_ours(tmp_path / "log", events)
    aged(path, 31)
    done = compact([tmp_path / "log"], tmp_path / "parquet")
    spoil(tmp_path / "parquet")
    [kept] = retire(tmp_path, done, remove=True).values()
    assert reason in kept
    assert path.exists()


def test_a_file_stays_that_parquet_does_not_hold_whole(
    tmp_path: Path, events: list[dict[str, Any]]
) -> None:
    torn, changed, unknown = write_ours(tmp_path / "log", events, servers=3)
    torn.write_bytes(torn.read_bytes() + b'{"message": "ne\n')
    for path in (torn, changed):
        aged(path, 31)
    done = compact([torn, changed], tmp_path / "parquet")
    changed.write_bytes(changed.read_bytes().replace(b'"time":0.', b'"time":0.1', 1))
    for path in (changed, unknown):
        aged(path, 31)
    assert retire(tmp_path, done, remove=True) == {
        torn.name: "1 lines are not in Parquet: torn line",
        changed.name: "changed since it was compacted",
        unknown.name: "not compacted",
    }
    assert all(path.exists() for path in (torn, changed, unknown))


def test_the_last_file_of_a_process_that_may_still_run_stays(
    tmp_path: Path, events: list[dict[str, Any]]
) -> None:
    [path] = write_ours(tmp_path / "log", events)
    aged(path, 31, ended=False)
    done = compact([tmp_path / "log"], tmp_path / "parquet")
    said = "the last file of a process that may still run"
    assert retire(tmp_path, done, remove=True) == {path.name: said}
    began_ms = (NOW_S - 20 * DAY_S) * 1000
    later = tmp_path / "log" / f"events-server0-2-{began_ms}-0000.jsonl"
    later.write_bytes(b"")
    aged(later, 20, ended=False)
    assert retire(tmp_path, done, remove=True) == {path.name: ""}
    assert not path.exists()


def segue(*arguments: object) -> Result:
    return CliRunner().invoke(build(), ["logs", "compact", *map(str, arguments)])


def test_the_command_says_what_it_would_remove_and_removes_it_on_request(
    tmp_path: Path, events: list[dict[str, Any]]
) -> None:
    [path] = write_ours(tmp_path / "log", events)
    aged(path, 0)  # of a clock that is far behind the real one: older than any age
    config = write_config(tmp_path / "server", events={"dir": "log", "keep_days": 0.5})
    where = (tmp_path / "log", "--to", tmp_path / "parquet")
    os.utime(path, (1, 1))
    assert "older" not in segue(*where).stdout
    said = segue(*where, "--config", config)
    assert f"{path}: would be removed by --remove" in said.stdout
    assert "1 event files are older than 0.5 days" in said.stdout
    assert path.exists()
    plain = json.loads(segue(*where, "--keep-days", "1", "--json").stdout)
    assert plain[str(path)]["old"] == "would be removed by --remove"
    refused = segue(*where, "--remove")
    assert "must be told the age of the files to remove" in str(refused.exception)
    assert path.exists()
    removed = segue(*where, "--keep-days", "1", "--remove")
    assert f"{path}: removed" in removed.stdout
    assert not path.exists()
