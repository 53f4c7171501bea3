"""`segue world` from the command line."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import build
from engine.runtime import load_runtime
from engine.settings.loading import load_settings
from simulator.world.world import load_world


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    to = tmp_path_factory.mktemp("made") / "world"
    arguments = ["world", "create", "--tracks", "150", "--users", "20", "--to", str(to)]
    result = CliRunner().invoke(build(), arguments)
    assert result.exit_code == 0, result.output
    assert "150 tracks" in result.output
    assert "lists/personal.npz" in result.output
    return to


def test_create_makes_a_world_and_leaves_nothing_half_written(folder: Path) -> None:
    assert len(load_world(folder)) == 20
    assert sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file()) == [
        "embeddings.npy",
        "lists/contextual.npz",
        "lists/personal.npz",
        "lists/similar.npz",
        "top_tracks.json",
        "top_tracks.manifest.json",
        "tracks.jsonl",
        "users.jsonl",
        "vectors/interests.npz",
    ]


def test_the_created_world_can_be_served(folder: Path, tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        f"""
catalog:
  tracks: {folder}/tracks.jsonl
  top: {folder}/top_tracks.json
  lists:
    contextual: {folder}/lists/contextual.npz
    personal: {folder}/lists/personal.npz
strategies:
  random: {{type: random}}
  popular: {{type: top_pop, top: 10, fallback: random}}
  contextual: {{type: contextual, list: contextual, fallback: popular}}
  personal: {{type: personal, list: personal, fallback: popular}}
default: contextual
"""
    )
    runtime = load_runtime(load_settings(config))
    assert len(runtime.catalog) == 150
    assert set(runtime.chains) == {"random", "popular", "contextual", "personal"}


def test_too_few_tracks_are_refused_before_any_work() -> None:
    result = CliRunner().invoke(build(), ["world", "create", "--tracks", "99", "--to", "nowhere"])
    assert result.exit_code == 2
    assert "100" in result.output
