"""`segue demo`: the whole loop with real processes, in a small world."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import main
from core.errors import InputError


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small world with a config beside it."""
    folder = tmp_path_factory.mktemp("world")
    made = CliRunner().invoke(
        main.build(),
        ["world", "create", "--tracks", "200", "--users", "60", "--to", str(folder)],
    )
    assert made.exit_code == 0, made.output
    config = folder / "config.yaml"
    config.write_text(
        "catalog: {tracks: tracks.jsonl}\nstrategies: {random: {type: random}}\ndefault: random\n"
    )
    return config


def test_the_demo_ends_in_a_report_of_both_experiments(
    world: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "demo"
    result = CliRunner().invoke(
        main.build(),
        ["demo", "--config", str(world), "--to", str(to), "--episodes", "400", "--rounds", "2"],
    )
    printed = capfd.readouterr()
    assert result.exit_code == 0, (
        f"{result.output}\n{result.exception}\n{printed.out}\n{printed.err}"
    )
    page = (to / "report.html").read_text()
    assert "toppop_after_skip" in page
    assert "liked_track_vs_personal" in page
    events = [
        json.loads(line)
        for file in to.glob("served/*.jsonl")
        for line in file.read_text().splitlines()
    ]
    assert sum(e["message"] == "last" for e in events) == 400
    arms = {(name, arm) for e in events for name, arm in e["experiments"].items()}
    first, second = "toppop_after_skip", "liked_track_vs_personal"
    both = {(name, arm) for name in (first, second) for arm in ("C", "T1")}
    assert arms == both | {(second, "T2")}
    ledger = (to / "artifacts" / "decisions.jsonl").read_text().splitlines()
    decisions = [json.loads(line) for line in ledger]
    assert [each["outcome"] for each in decisions].count("round") == 2
    assert {each["outcome"] for each in decisions} & {"piloted", "refused"}
    assert (to / "artifacts" / "rounds.svg").is_file()
    assert "round" in printed.out


def test_the_demo_begins_with_the_lists_that_one_has(
    world: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    config = world.with_name("own.yaml")
    config.write_text(
        "catalog: {tracks: tracks.jsonl, top: top_tracks.json, "
        "lists: {personal: lists/personal.npz}}\n"
        "strategies: {random: {type: random}}\ndefault: random\n"
    )
    to = tmp_path / "demo"
    result = CliRunner().invoke(
        main.build(),
        ["demo", "--config", str(config), "--to", str(to), "--episodes", "400", "--rounds", "2"],
    )
    printed = capfd.readouterr()
    assert result.exit_code == 0, f"{result.output}\n{printed.out}\n{printed.err}"
    assert not (to / "first").exists()  # no random day
    first = json.loads((to / "artifacts" / "decisions.jsonl").read_text().splitlines()[0])
    assert list(first["figures"]["played"]) == ["personal"]


def test_the_demo_leaves_a_foreign_folder_alone(world: Path, tmp_path: Path) -> None:
    mine = tmp_path / "log"
    mine.mkdir()
    (tmp_path / "config.yaml").write_text("catalog: {}\n")
    result = CliRunner().invoke(
        main.build(), ["demo", "--config", str(world), "--to", str(tmp_path)]
    )
    assert isinstance(result.exception, InputError)
    assert "holds files that no demo wrote" in str(result.exception)
    assert mine.is_dir()
