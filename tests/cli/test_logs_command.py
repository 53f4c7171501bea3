"""`segue logs`: collect, compact and show, as typed at a terminal."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import build
from core.errors import InputError
from tests.logs import Plan, listening, write_botify, write_ours


def segue(*arguments: str | Path) -> Result:
    return CliRunner().invoke(build(), [str(argument) for argument in arguments])


def test_a_log_is_collected_compacted_and_shown(tmp_path: Path) -> None:
    events = listening(Plan(listeners=30))
    write_ours(tmp_path / "one", events)
    write_botify(tmp_path / "two", listening(Plan(listeners=20, experiment="other")))
    cache, parquet = tmp_path / "cache", tmp_path / "parquet"
    origins = ("--from", tmp_path / "one", "--from", tmp_path / "two")
    collected = segue("logs", "collect", *origins, "--to", cache, "--json")
    assert [origin["new"] for origin in json.loads(collected.stdout)] == [1, 2]
    compacted = segue("logs", "compact", cache, "--to", parquet)
    assert "of them compacted now" in compacted.stdout
    shown = json.loads(segue("logs", "show", parquet, "--json").stdout)
    assert {(row["experiment"], row["arm"]) for row in shown["experiments"]} == {
        (experiment, arm) for experiment in ("fallback", "other") for arm in ("C", "T1")
    }
    assert sum(row["listeners"] for row in shown["experiments"]) == 50
    table = segue("logs", "show", cache).stdout
    assert "botify" in table
    assert "ours" in table


def test_dropped_lines_are_shown_with_their_places(tmp_path: Path) -> None:
    (path,) = write_ours(tmp_path, listening(Plan(listeners=3)))
    with path.open("ab") as file:
        file.write(b'{"mess')
    shown = segue("logs", "show", tmp_path)
    assert "torn line" in shown.stdout


def test_a_missing_log_is_a_fault(tmp_path: Path) -> None:
    result = segue("logs", "show", tmp_path / "nowhere")
    assert isinstance(result.exception, InputError)
    with pytest.raises(InputError, match=r"nowhere: is not there"):
        raise result.exception
