"""The off-policy column of `segue train`: what `segue evaluate` would say of the lists."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

import training.models  # noqa: F401  (importing it registers the models)
from audit.list_value import ListEstimator, make_estimator
from cli.main import build as command
from core.archive import Key
from core.catalog import load_catalog
from core.progress import SILENT, Progress
from simulator.recommenders.in_process import load_in_process
from tests.played import configured, play
from training import artifacts
from training.interactions import Interactions
from training.listen_sources import Selection, load
from training.model import FitRun, FittedModel, ModelParams, build
from training.top_k import Ints, Rankings

TOP = 6


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Interactions]:
    """A folder with a config and a log of it, and the log's listens."""
    folder = tmp_path_factory.mktemp("played")
    config = configured(folder, "mixed")
    play(load_in_process(config), folder / "log", episodes=900, seed=1)
    return folder, load([folder / "log"], load_catalog(folder / "tracks.jsonl"), Selection())


def segue(*arguments: object) -> str:
    result = CliRunner().invoke(command(), [*map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


@pytest.mark.parametrize(("key", "type_"), [("track", "contextual"), ("user", "personal")])
def test_the_column_agrees_with_evaluate_for_an_arm_over_the_lists(
    played: tuple[Path, Interactions], tmp_path: Path, key: Key, type_: str
) -> None:
    folder, log = played
    half = log.where(log.user % 2 == 0)  # so that some listeners and tracks have no list
    fitted = build("neighbours")[0].fit(half, FitRun(half))
    maker = artifacts.Provenance("neighbours", ModelParams(), 1, {})
    for path in artifacts.save(tmp_path, "near", fitted, log, maker, {}, top=TOP):
        path.rename(tmp_path / f"{path.stem.rpartition('_')[2]}.npz")
    config = yaml.safe_load((folder / "config.yaml").read_text())
    lists = tmp_path / ("track.npz" if key == "track" else "listener.npz")
    config["catalog"] |= {"lists": {"learnt": str(lists)}, "tracks": str(folder / "tracks.jsonl")}
    del config["catalog"]["top"]
    config["strategies"] = {
        "random": {"type": "random"},
        "arm": {"type": type_, "list": "learnt", "fallback": "random"},
    }
    config["default"] = "random"
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    printed = json.loads(
        segue("evaluate", folder / "log", "--config", tmp_path / "config.yaml", "--strategy", "arm",
              "--json")
    )["strategies"]["arm"]  # fmt: skip
    found = ListEstimator(log, TOP)(fitted, key)
    robust = next(each for each in printed["estimates"] if each["name"] == "DR")
    assert found.time.value == pytest.approx(robust["mean"], rel=1e-5)
    assert found.time.low == pytest.approx(robust["low"], rel=1e-5)
    assert found.time.high == pytest.approx(robust["high"], rel=1e-5)
    assert found.effective_sample_size == pytest.approx(printed["effective"], rel=1e-5)
    assert list(found.warnings) == printed["warnings"]


def test_lists_of_one_track_have_the_value_of_that_track(
    played: tuple[Path, Interactions],
) -> None:
    # With IPS weights of 0 elsewhere, worked out here without the estimator.
    _, log = played
    only = 3

    def ranker(keys: Ints, k: int, progress: Progress = SILENT) -> Rankings:
        ranked = np.full((len(keys), k), -1, dtype=np.int32)
        ranked[:, 0] = only
        return ranked

    follows = np.flatnonzero(np.isfinite(log.propensity))
    weight = (log.track[follows] == only) / log.propensity[follows]
    found = ListEstimator(log, TOP)(FittedModel({"user": ranker}), "user")
    assert found.effective_sample_size == pytest.approx(weight.sum() ** 2 / (weight**2).sum())
    snips = weight @ log.time[follows] / weight.sum()
    assert found.time.low < snips < found.time.high


def test_a_log_without_propensities_has_no_column(played: tuple[Path, Interactions]) -> None:
    _, log = played
    assert make_estimator(log, TOP) is not None
    assert make_estimator(log.where(np.isnan(log.propensity)), TOP) is None
    assert make_estimator(log.where(log.user == 0), TOP) is None


def test_a_log_without_its_short_listens_has_no_column(
    played: tuple[Path, Interactions], tmp_path: Path
) -> None:
    # What is left was heard for half or more: every arm would look good.
    folder, _ = played
    printed = segue(
        "train", "popular", folder / "log", "--catalog", folder / "tracks.jsonl", "--to", tmp_path,
        "--min-time", 0.5, "--json",
    )  # fmt: skip
    assert json.loads(printed)["off_policy"] is None


def test_a_comparison_has_the_column_and_the_lists_beside_it(
    played: tuple[Path, Interactions], tmp_path: Path
) -> None:
    folder, _ = played
    segue(
        "train", "compare", folder / "log", "--catalog", folder / "tracks.jsonl", "--to", tmp_path,
        "--models", "neighbours,popular", "--late", 0.5, "--top", 5,
    )  # fmt: skip
    written = json.loads((tmp_path / "comparison.json").read_text())
    assert "the first 5 of each list" in written["off_policy"]
    times = {
        (model["model"], lists["by"]): lists["off_policy"]["time"]
        for model in written["models"]
        for lists in model["lists"]
    }
    assert len(times) == 6
    for value, low, high in times.values():
        assert 0 < low < value < high < 1
    table = (tmp_path / "comparison.md").read_text()
    value, low, high = times["neighbours", "track"]
    assert f"| {value:.3f} [{low:.3f}, {high:.3f}]" in table
    assert table.rstrip().endswith("comparison.json and manifests say why.")
    lists = {path.name for path in tmp_path.iterdir()} - {"comparison.json", "comparison.md"}
    assert lists == {
        "popular.json",
        "popular.manifest.json",
        "neighbours_by_track.npz",
        "neighbours_by_listener.npz",
    }
