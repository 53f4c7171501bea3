"""`segue train compare --play`: what the files of a model earn by the recommended recipe."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from cli import main
from cli.world_warmup import warm_up
from core.errors import InputError
from core.progress import SILENT
from simulator.listeners.lifelong import make_listeners
from simulator.listeners.settings import ListenerSettings
from simulator.play.in_process_runner import InProcessRunner
from simulator.play.session_table import SessionTable, mean_by_listener
from simulator.recommenders.in_process import DispatcherRecommender, load_in_process
from simulator.world.files import write_world
from simulator.world.generator import generate_world
from simulator.world.neighbours import find_neighbours
from simulator.world.world import load_world

SEED, SESSIONS = 5, 120
RECOMMENDED = {"draw": "first", "unheard": "session", "fallback": "random"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world with the log of its first days."""
    folder = tmp_path_factory.mktemp("world")
    world = generate_world(300, 60, 11).world
    write_world(folder, world)
    warm_up(folder, world, 11, SILENT, folder / "days")
    return folder


@pytest.fixture(scope="module")
def compared(folder: Path) -> Path:
    """The folder of a comparison with play."""
    played = ("--play", str(folder), "--play-sessions", str(SESSIONS), "--play-seed", str(SEED))
    result = compare(folder, "--models", "neighbours,interests", "--threads", "1", *played)
    assert result.exit_code == 0, result.output
    return folder / "learnt"


def compare(folder: Path, *options: str) -> Any:
    inputs = [str(folder / "days" / "log"), "--catalog", str(folder / "tracks.jsonl")]
    to = ["--to", str(folder / "learnt")]
    return CliRunner().invoke(main.build(), ["train", "compare", *inputs, *to, *options])


def play_by_hand(
    folder: Path, strategy: dict[str, Any], artifacts: dict[str, dict[str, str]]
) -> SessionTable:
    config = {
        "catalog": {"tracks": str(folder / "tracks.jsonl"), **artifacts},
        "strategies": {"random": {"type": "random"}, "mine": strategy},
        "default": "mine",
    }
    path = folder / "by-hand.yaml"
    path.write_text(yaml.safe_dump(config))
    world, settings = load_world(folder), ListenerSettings()
    near = find_neighbours(world, settings.interest_neighbours)
    listeners = make_listeners(settings, world, near, SEED)
    player = DispatcherRecommender(
        load_in_process(path), world, SEED, 64, keyed_by="segue train compare"
    )
    return InProcessRunner(listeners, player, 64).play(listeners.plan_day(0, SESSIONS)).sessions


def played_in(compared: Path, model: str) -> dict[str, Any]:
    models = json.loads((compared / "comparison.json").read_text())["models"]
    [played] = [each["played"] for each in models if each["model"] == model]
    return {each["strategy"]: each for each in played}


@pytest.mark.parametrize("model", ["neighbours", "interests"])
def test_lists_earn_what_the_recommended_recipe_earns_with_them(
    folder: Path, compared: Path, model: str
) -> None:
    recipe = {"type": "session_lists", "lists": "own", **RECOMMENDED}
    lists = {"lists": {"own": str(compared / f"{model}_by_track.npz")}}
    mine = play_by_hand(folder, recipe, lists)
    random = play_by_hand(folder, {"type": "random"}, {})
    shown = played_in(compared, model)["session_lists"]
    expected = mean_by_listener(mine.time, mine.listener)
    assert shown["time"] == pytest.approx(expected.mean, abs=1e-4)
    assert shown["standard_error"] == pytest.approx(expected.standard_error, abs=1e-4)
    lift, low, high = shown["lift"]
    assert lift == pytest.approx(np.mean(mine.time) / np.mean(random.time) - 1, abs=1e-3)
    assert low < lift < high


def test_vectors_are_played_where_a_model_has_them(folder: Path, compared: Path) -> None:
    recipe = {"type": "session_vectors", "vectors": "own", "fatigue": 0.8, "lengths": 0.5}
    vectors = {"vectors": {"own": str(compared / "interests_vectors_by_track.npz")}}
    mine = play_by_hand(folder, recipe | RECOMMENDED, vectors)
    shown = played_in(compared, "interests")
    assert shown["session_vectors"]["time"] == pytest.approx(np.mean(mine.time), abs=1e-4)
    assert set(played_in(compared, "neighbours")) == {"session_lists"}


def test_the_table_shows_what_was_played_beside_the_offline_figures(compared: Path) -> None:
    text = (compared / "comparison.md").read_text()
    rows = [
        [cell.strip() for cell in line.split("|")]
        for line in text.splitlines()
        if line.startswith("| ")
    ]
    head, *models = rows
    lists, vectors = head.index("earns"), head.index("earns by vectors")
    cells = {(row[1], row[2]): (row[lists], row[vectors]) for row in models}
    time = played_in(compared, "interests")["session_vectors"]["time"]
    assert cells["interests", "track"][1].startswith(f"{time:.2f} ± ")
    assert cells["neighbours", "track"][0].endswith("%")
    assert cells["neighbours", "listener"] == ("", "")
    assert "the lift over random tracks" in text
    assert f"{SESSIONS} sessions" in text


def test_without_play_the_table_has_no_such_column(folder: Path, tmp_path: Path) -> None:
    assert compare(folder, "--models", "popular", "--to", str(tmp_path)).exit_code == 0
    assert "earns" not in (tmp_path / "comparison.md").read_text()
    assert "played" not in (tmp_path / "comparison.json").read_text()


def test_a_folder_without_listeners_is_refused(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tracks.jsonl").write_bytes((folder / "tracks.jsonl").read_bytes())
    result = compare(folder, "--play", str(tmp_path))
    assert isinstance(result.exception, InputError)
    assert "has a catalog, but no simulated listeners" in str(result.exception)


def test_a_world_of_different_tracks_is_refused(folder: Path, tmp_path: Path) -> None:
    write_world(tmp_path, generate_world(200, 20, 3).world)
    result = compare(folder, "--play", str(tmp_path))
    assert isinstance(result.exception, InputError)
    assert "must be a world of the tracks of --catalog" in str(result.exception)
