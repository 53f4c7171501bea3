"""`segue doctor` from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from audit import doctor, heard_faults, log_faults, scale_faults, server_faults
from cli import main
from tests.service import write_config


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """A short trial and few faults; tests/audit/test_log_faults.py tests each fault."""
    monkeypatch.setattr(doctor, "TRIAL_LISTENERS", 150)
    monkeypatch.setattr(doctor, "TRIAL_SESSIONS", 400)
    monkeypatch.setattr(doctor, "IDS", 5000)
    named = {each.name: each for each in log_faults.LOG_FAULTS}
    few = (named["swapped arms"], named["silent fallback"])
    monkeypatch.setattr(log_faults, "LOG_FAULTS", few)
    monkeypatch.setattr(heard_faults, "HEARD_FAULTS", ())
    monkeypatch.setattr(scale_faults, "SCALE_FAULTS", ())


def examine(path: Path, *arguments: str) -> Result:
    return CliRunner(env={"COLUMNS": "200"}).invoke(
        main.build(),
        ["doctor", "--config", str(path), "--listeners", "100", "--salts", "60", *arguments],
    )


def parts(result: Result) -> dict[str, Any]:
    return {part["name"]: part for part in json.loads(result.output)["parts"]}


def test_a_sound_config_passes_all_steps(tmp_path: Path) -> None:
    result = examine(write_config(tmp_path), "--json")

    assert result.exit_code == 0, result.output
    found = parts(result)
    assert list(found) == ["canary", "arms", "shares", "a/a", "planted faults"]
    assert all(part["sound"] for part in found.values())
    table = {row["fault"]: row["found by"] for row in found["planted faults"]["table"]}
    assert table == {
        "swapped arms": "assignment, served",
        "silent fallback": "fallback",
        "hidden fallback": "replay",
        "logger recomputes the arm": "canary",
        "branches swapped": "canary",
    }
    assert not (tmp_path / "log").exists()  # nothing is left behind


def test_a_fault_that_nothing_finds_fails_the_doctor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def annotate(clean: log_faults.CleanLog) -> log_faults.LogLines:
        return [("events-1.jsonl", {**event, "remark": "none"}) for event in clean.events]

    harmless = log_faults.LogFault("harmless", "nothing goes wrong", (), annotate)
    monkeypatch.setattr(log_faults, "LOG_FAULTS", (harmless,))

    result = examine(write_config(tmp_path))

    assert result.exit_code == 1
    assert "nothing finds that nothing goes wrong" in result.output
    assert "Not sound: planted faults." in result.output


def test_a_fault_that_changes_nothing_is_named_apart_from_one_that_nothing_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    empty = log_faults.LogFault("empty", "the log is the same", (), log_faults.CleanLog.copy)
    monkeypatch.setattr(log_faults, "LOG_FAULTS", (empty,))

    result = examine(write_config(tmp_path), "--json")

    assert result.exit_code == 1
    found = parts(result)["planted faults"]
    assert found["figure"] == "3 of 3 found, 1 could not be planted"
    assert found["table"][0]["found by"] == "not planted: the log would be the same"
    (fault,) = found["faults"]
    assert fault.startswith("the fault 'empty' could not be planted: it changes nothing in the log")


def test_replay_is_asked_about_a_fault_that_no_check_of_the_log_finds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hidden = log_faults.LogFault("hidden", "tracks differ", (), log_faults.hide_fallback)
    monkeypatch.setattr(log_faults, "LOG_FAULTS", (hidden,))

    result = examine(write_config(tmp_path), "--json")

    assert result.exit_code == 0, result.output
    table = parts(result)["planted faults"]["table"]
    assert next(row["found by"] for row in table if row["fault"] == "hidden") == "replay"


def test_every_fault_of_a_server_is_found_under_the_hash_of_botify(tmp_path: Path) -> None:
    def hashed(config: dict[str, Any]) -> None:
        config["experiments"][0]["hash"] = "botify"

    result = examine(write_config(tmp_path, hashed), "--json")

    assert result.exit_code == 0, result.output
    assert parts(result)["planted faults"]["figure"] == "5 of 5 found"


def test_a_config_with_identical_arms_is_not_sound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for faults in (f"{log_faults.__name__}.LOG_FAULTS", f"{server_faults.__name__}.SERVER_FAULTS"):
        monkeypatch.setattr(faults, ())

    def twins(config: dict[str, Any]) -> None:
        config["strategies"]["improved"] = dict(config["strategies"]["contextual"])

    result = examine(write_config(tmp_path, twins), "--json")

    assert result.exit_code == 1
    found = parts(result)
    assert "propose the same" in found["arms"]["faults"][0]
    assert found["canary"]["sound"]


def test_the_doctor_makes_an_experiment_for_a_config_without_one(tmp_path: Path) -> None:
    result = examine(write_config(tmp_path, experiments=[]), "--json")

    assert result.exit_code == 0, result.output
    rows = parts(result)["planted faults"]["table"]
    assert {row["found by"] for row in rows} >= {"assignment, served", "replay"}


def test_a_faulty_config_exits_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_config(tmp_path, default="nobody")
    monkeypatch.setattr("sys.argv", ["segue", "doctor", "--config", str(path)])

    with pytest.raises(SystemExit) as ended:
        main.main()

    assert ended.value.code == 2
    assert "unknown strategy 'nobody'" in capsys.readouterr().err
