"""`segue replay` as somebody at a terminal meets it."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from audit.synthetic_traffic import SyntheticTraffic
from cli import main
from tests.service import events_in, loaded


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("played")
    with SyntheticTraffic(loaded(folder), folder / "log") as trial:
        trial.play(range(50), 40)
        trial.swap(loaded(folder, default="random"))
        trial.play(range(50), 40)
    return folder


def replay(*arguments: object) -> Result:
    return CliRunner(env={"COLUMNS": "250"}).invoke(
        main.build(), ["replay", *(str(argument) for argument in arguments)]
    )


def test_a_log_of_ours_comes_out_the_same(played: Path) -> None:
    result = replay(played / "log", "--json")

    assert result.exit_code == 0, result.output
    said = json.loads(result.output)
    events = events_in(played)
    assert said["sound"] is True
    assert said["events"] == len(events)
    assert said["decisions"] == sum(event["message"] == "next" for event in events)
    assert len(said["configs"]) == 2
    assert "Every decision came out the same." in replay(played / "log").output


def test_both_sides_of_what_came_out_otherwise_are_shown(played: Path, tmp_path: Path) -> None:
    events = events_in(played)
    where = next(n for n, event in enumerate(events) if event["message"] == "next")
    events[where]["recommendation"] = "another track"
    path = tmp_path / "events-1.jsonl"
    path.write_text("".join(json.dumps(event) + "\n" for event in events))

    result = replay(path, "--configs", played / "log" / "configs")

    assert result.exit_code == 1
    assert "1 events differ from the log" in result.output
    assert "['another track']" in result.output
    assert f"events-1.jsonl:{where + 1}" in result.output.replace("\n", "")


def test_a_decision_is_explained(played: Path) -> None:
    event = next(
        event for event in events_in(played) if event["message"] == "next" and event["turn"] > 4
    )

    result = replay(played / "log", "--decision", event["decision"])

    assert result.exit_code == 0, result.output
    assert f"listener {event['user']}, turn {event['turn']}" in result.output
    assert "fallback: layer slot" in result.output
    assert f"Candidates {event['candidates']}" in result.output
    assert "The log says the same." in result.output


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ("nothing", "must be the id of an event in these files, got 'nobody'"),
        ("config", "has no snapshot here"),
        ("data", "top: must be the data that decided"),
        ("parquet", "got a compacted one"),
        ("botify", "must have events of Segue"),
    ],
)
def test_what_cannot_be_replayed_ends_with_2(
    change: str, complaint: str, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    with SyntheticTraffic(loaded(tmp_path), tmp_path / "log") as trial:
        trial.play(range(9), 5)
    (log,) = (tmp_path / "log").glob("*.jsonl")
    arguments: list[Any] = [log]
    if change == "nothing":
        arguments += ["--decision", "nobody"]
    elif change == "config":
        for path in (tmp_path / "log" / "configs").iterdir():
            path.unlink()
    elif change == "data":
        (tmp_path / "top_tracks.json").write_text("[1000]")
    elif change == "parquet":
        log.write_bytes(b"PAR1" + bytes(20))
    else:
        log.write_text('{"message": "next", "timestamp": 1, "user": 1, "track": 2}\n')
    monkeypatch.setattr("sys.argv", ["segue", "replay", *map(str, arguments)])

    with pytest.raises(SystemExit) as ended:
        main.main()

    assert ended.value.code == 2
    assert complaint in capsys.readouterr().err


def test_data_at_another_place_is_named_with_a_config(tmp_path: Path) -> None:
    with SyntheticTraffic(loaded(tmp_path / "here"), tmp_path / "log") as trial:
        trial.play(range(9), 5)
    (tmp_path / "here").rename(tmp_path / "there")

    assert replay(tmp_path / "log").exit_code != 0
    result = replay(tmp_path / "log", "--config", tmp_path / "there" / "config.yaml")

    assert result.exit_code == 0, result.output
