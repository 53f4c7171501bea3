"""Sealed plans are read beside the log, and travel with it."""

import json
from pathlib import Path
from typing import Any

import pytest

from core.errors import InputError
from events.collection import collect
from events.compaction import compact
from events.sealed_plans import sealed_plans_beside
from tests import logs


def record(folder: Path, started_ms: int, planned: dict[str, Any] | None, version: int = 1) -> None:
    content: dict[str, Any] = {
        "definition": {"name": "fallback", "version": version},
        "treatments": {},
        "holdout": {"share": 0.0, "salt": ""},
        "started_ms": started_ms,
    }
    if planned is not None:
        content["planned"] = planned
    path = folder / "started" / f"fallback@{version}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def test_of_several_servers_the_first_to_start_comes_first(tmp_path: Path) -> None:
    record(tmp_path / "a", 2000, {"listeners": 500})
    record(tmp_path / "b", 1000, {"listeners": 3000})
    found = sealed_plans_beside([tmp_path])
    assert [(plan.started_ms, plan.planned) for plan in found] == [
        (1000, {"listeners": 3000}),
        (2000, {"listeners": 500}),
    ]
    assert (found[0].experiment, found[0].version) == ("fallback", 1)


def test_the_plan_stands_beside_a_single_file_too(tmp_path: Path) -> None:
    (file,) = logs.write_ours(tmp_path, logs.listening(logs.Plan(listeners=2)))
    record(tmp_path, 1000, {"listeners": 3000})
    assert [plan.planned for plan in sealed_plans_beside([file])] == [{"listeners": 3000}]


def test_a_record_of_an_earlier_version_holds_no_plan(tmp_path: Path) -> None:
    record(tmp_path, 1000, None)
    assert sealed_plans_beside([tmp_path]) == []


@pytest.mark.parametrize("content", ["", "[]", "{}"], ids=["empty", "no-object", "no-keys"])
def test_a_damaged_record_is_named(tmp_path: Path, content: str) -> None:
    record(tmp_path, 1000, {})
    (tmp_path / "started/fallback@1.json").write_text(content)
    with pytest.raises(InputError, match=r"fallback@1\.json: must be the record of a started"):
        sealed_plans_beside([tmp_path])


def test_collected_and_compacted_logs_carry_the_plans(tmp_path: Path) -> None:
    for name, started_ms in (("a", 1000), ("b", 2000)):
        logs.write_ours(tmp_path / name, logs.listening(logs.Plan(listeners=2)))
        record(tmp_path / name, started_ms, {"listeners": started_ms})
    collect([str(tmp_path / "a"), str(tmp_path / "b")], tmp_path / "all")
    compact([tmp_path / "all"], tmp_path / "parquet")
    for folder in ("all", "parquet"):
        assert [plan.started_ms for plan in sealed_plans_beside([tmp_path / folder])] == [
            1000,
            2000,
        ]
