"""`segue demo`: the whole loop with real processes, in a small world."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import main
from core.errors import InputError
from tests import needs


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


@needs.package("implicit")
def test_the_demo_ends_in_a_report_of_both_experiments(
    world: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    to = tmp_path / "demo"
    result = CliRunner().invoke(
        main.build(), ["demo", "--config", str(world), "--to", str(to), "--episodes", "400"]
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
        for file in to.glob("log/*.jsonl")
        for line in file.read_text().splitlines()
    ]
    # The first day drew at random; the second was answered by every strategy of the four arms.
    assert sum(e["message"] == "last" for e in events) == 800
    answered = {e["answered_by"] for e in events if e["message"] == "next"}
    assert {"random", "contextual", "popular", "personal"} <= answered
    arms = {(name, arm) for e in events for name, arm in e["experiments"].items()}
    experiments = ("toppop_after_skip", "liked_track_vs_personal")
    assert arms == {(name, arm) for name in experiments for arm in ("C", "T1")}
    for name in ("neighbours_bm25_by_track", "factors_by_track", "factors_by_listener"):
        assert (to / "lists" / f"{name}.npz").is_file()


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
