"""The lists of a new world: learnt from its first days, and from nothing else."""

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from cli.main import build
from cli.world_warmup import DAYS, LEARNT, SESSIONS, learn, warm_up
from core.errors import InputError
from core.lists import load_lists
from core.progress import SILENT
from core.vector_archive import load_vectors
from events.reader import open_log
from simulator.world.files import write_world
from simulator.world.generator import generate_world
from simulator.world.world import World

TRACKS, LISTENERS = 300, 60


def warm_up_world(folder: Path, world: World) -> dict[str, Path]:
    write_world(folder, world)
    return {path.name: path for path in warm_up(folder, world, 7, SILENT, folder / "days")}


@pytest.fixture(scope="module")
def world() -> World:
    return generate_world(TRACKS, LISTENERS, 7).world


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, world: World) -> dict[str, Path]:
    return warm_up_world(tmp_path_factory.mktemp("world"), world)


def test_the_log_has_every_session_of_every_day(made: dict[str, Path]) -> None:
    with open_log([made["top_tracks.json"].parent / "days" / "log"]) as log:
        [(sessions, days)] = log.query(
            'SELECT count(DISTINCT ("user", session)), count(DISTINCT at_ms // 86400000) '
            "FROM events"
        )
    assert (sessions, days) == (DAYS * SESSIONS * LISTENERS, DAYS)


def test_a_manifest_names_the_model_and_its_metrics(made: dict[str, Path], world: World) -> None:
    for learnt in LEARNT:
        path = made[Path(learnt.file).name]
        if not learnt.top:
            vectors = load_vectors(path, world.catalog)
            assert (vectors.key, vectors.manifest["model"]) == (learnt.key, learnt.model)
            continue
        lists = load_lists(path, world.catalog)
        assert lists.key == learnt.key
        assert lists.manifest["model"] == learnt.model
        assert lists.manifest["logs"] == {"segue world create": "seed 7"}
        assert 0 < lists.manifest["metrics"]["ndcg10"][0] < 1
        assert np.diff(lists.offsets).max() <= learnt.top
    popular = json.loads(made["top_tracks.manifest.json"].read_text())
    assert (popular["model"], popular["sizes"]) == ("popular", {"tracks": TRACKS})


def test_lists_depend_on_the_log_and_not_on_true_tastes(
    made: dict[str, Path], world: World, tmp_path: Path
) -> None:
    # The same listening in a world whose vectors are others' would make the same lists; here the
    # log is read again, without any world.
    log = made["top_tracks.json"].parent / "days" / "log"
    hollow = World(
        world.catalog, world.embeddings * 0, world.users, world.interests * 0,
        world.consume_bias * 0, world.consume_sharpness * 0,
    )  # fmt: skip
    again = learn(tmp_path, hollow, [log], 7, LEARNT, SILENT)
    for path in again:
        assert path.read_bytes() == made[path.name].read_bytes(), path.name


def test_kept_days_can_be_replayed(made: dict[str, Path]) -> None:
    log = made["top_tracks.json"].parent / "days" / "log"
    result = CliRunner().invoke(build(), ["replay", str(log)])
    assert result.exit_code == 0, result.output
    assert f"{DAYS} configs" in result.output
    assert "Every decision came out the same." in result.output


def test_keep_refuses_a_folder_with_files(tmp_path: Path) -> None:
    (tmp_path / "days").mkdir()
    (tmp_path / "days" / "events.jsonl").touch()
    arguments = ["world", "create", "--to", str(tmp_path / "w"), "--keep", str(tmp_path / "days")]
    result = CliRunner().invoke(build(), arguments)
    assert isinstance(result.exception, InputError)
    assert "must be an empty folder or a new one" in str(result.exception)
    assert not (tmp_path / "w").exists()
