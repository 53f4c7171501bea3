"""`segue train`, as typed at a terminal."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from cli import main
from core.catalog import Catalog, load_catalog, load_top
from core.errors import InputError
from core.lists import load_lists
from tests import needs
from tests.training.listening import TRACKS, group_of, listening, write_catalog
from training.training_table import save_table


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a catalog and a training table."""
    folder = tmp_path_factory.mktemp("table")
    write_catalog(folder)
    save_table(folder / "interactions.parquet", listening(1500), {})
    return folder


def train(*arguments: str, table: Path, to: Path) -> Any:
    name, *rest = arguments
    inputs = [str(table / "interactions.parquet"), "--catalog", str(table / "tracks.jsonl")]
    return CliRunner().invoke(main.build(), ["train", name, *inputs, "--to", str(to), *rest])


def test_lists_of_a_model_load_in_the_server(table: Path, tmp_path: Path) -> None:
    result = train("neighbours", "--set", "kind=time", "--top", "12", table=table, to=tmp_path)
    assert result.exit_code == 0, result.output
    catalog = load_catalog(table / "tracks.jsonl")
    by_track = load_lists(tmp_path / "neighbours_by_track.npz", catalog)
    by_user = load_lists(tmp_path / "neighbours_by_listener.npz", catalog)
    assert (by_track.key, by_user.key) == ("track", "user")
    own = by_track.of_track(20)
    assert own is not None
    assert len(own) == 12
    assert np.mean(group_of(np.array(own.listed())) == group_of(np.array(20))) > 0.9
    assert by_user.of_user("u7") is not None


def test_a_manifest_says_how_the_lists_were_made(table: Path, tmp_path: Path) -> None:
    result = train(
        "neighbours", "--variant", "bm25", "--seed", "5", "--min-time", "0.1", "--json",
        table=table, to=tmp_path,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    lists = load_lists(
        tmp_path / "neighbours_bm25_by_track.npz", load_catalog(table / "tracks.jsonl")
    )
    manifest = lists.manifest
    assert manifest["model"] == "neighbours:bm25"
    assert manifest["params"]["kind"] == "bm25"
    assert manifest["seed"] == 5
    assert manifest["options"] == {"min_time": 0.1, "late": 0.1}
    assert list(manifest["logs"]) == ["interactions.parquet"]
    assert manifest["sizes"]["lists"] == TRACKS
    assert manifest["sizes"]["tracks"] == len(lists.tracks)
    printed = json.loads(result.stdout)
    judged = next(m for m in printed["models"] if m["model"] == "neighbours:bm25")
    assert manifest["metrics"] == judged["lists"][0]
    low, high = manifest["metrics"]["ndcg10"][1:]
    assert 0 < low < high
    assert {m["model"] for m in printed["models"]} == {"random", "popular", "neighbours:bm25"}


def test_a_variant_may_be_written_as_comparisons_name_it(table: Path, tmp_path: Path) -> None:
    result = train("neighbours:bm25", table=table, to=tmp_path)
    assert result.exit_code == 0, result.output
    catalog = load_catalog(table / "tracks.jsonl")
    lists = load_lists(tmp_path / "neighbours_bm25_by_track.npz", catalog)
    assert lists.manifest["model"] == "neighbours:bm25"
    assert "neighbours:bm25" in train("neighbours", "--help", table=table, to=tmp_path).output
    commands = CliRunner().invoke(main.build(), ["train", "--help"]).output
    assert "neighbours:bm25" not in commands


def test_lists_of_another_catalog_are_refused(table: Path, tmp_path: Path) -> None:
    assert train("neighbours", table=table, to=tmp_path).exit_code == 0
    ours = load_catalog(table / "tracks.jsonl")
    renamed = Catalog(ours.ids, [f"{a}!" for a in ("x",) * len(ours)], ours.titles)
    with pytest.raises(InputError, match=r"was made for a different catalog"):
        load_lists(tmp_path / "neighbours_by_track.npz", renamed)


@needs.package("implicit")
def test_the_same_command_writes_the_same_bytes(table: Path, tmp_path: Path) -> None:
    for folder in ("a", "b"):
        assert train("factors", table=table, to=tmp_path / folder).exit_code == 0
    for name in ("factors_by_track.npz", "factors_by_listener.npz"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_popular_writes_a_popularity_list_with_its_manifest_beside(
    table: Path, tmp_path: Path
) -> None:
    assert train("popular", table=table, to=tmp_path).exit_code == 0
    top = load_top(tmp_path / "popular.json", load_catalog(table / "tracks.jsonl"))
    assert sorted(top.tolist()) == list(range(TRACKS))
    manifest = json.loads((tmp_path / "popular.manifest.json").read_text())
    assert manifest["catalog"] == load_catalog(table / "tracks.jsonl").checksum


@needs.package("implicit")
def test_a_comparison_is_one_table_with_the_baselines_in_it(table: Path, tmp_path: Path) -> None:
    result = train("compare", "--models", "neighbours:time,factors", table=table, to=tmp_path)
    assert result.exit_code == 0, result.output
    written = json.loads((tmp_path / "comparison.json").read_text())
    assert [m["model"] for m in written["models"]] == [
        "random",
        "popular",
        "neighbours:time",
        "factors",
    ]
    ndcg = {m["model"]: m["lists"][0]["ndcg10"][0] for m in written["models"]}
    assert ndcg["neighbours:time"] > 2 * max(ndcg["random"], ndcg["popular"])
    rows = (tmp_path / "comparison.md").read_text().splitlines()
    assert len([row for row in rows if row.startswith("| ")]) == 1 + 4 * 2
    assert len({row.count("|") for row in rows if row.startswith("|")}) == 1


def test_a_comparison_names_the_models_that_it_leaves_out(
    table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.comparison.find_spec", lambda package: None)
    result = train("compare", "--no-lists", table=table, to=tmp_path)
    assert result.exit_code == 0, result.output
    message = " ".join(result.stdout.split())
    assert "Not tried: factors, factors:bpr. They need implicit" in message
    assert "personal. They need torch (pip install 'segue[train]')" in message
    tried = [m["model"] for m in json.loads((tmp_path / "comparison.json").read_text())["models"]]
    assert tried == [
        "popular", "popular:plays", "random",
        "ease", "ease:session", "interests",
        "neighbours", "neighbours:time", "neighbours:bm25", "neighbours:listener",
    ]  # fmt: skip
    assert {path.name for path in tmp_path.iterdir()} == {"comparison.json", "comparison.md"}


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["neighbours", "--set", "kind"], "--set: must be NAME=VALUE, got 'kind'"),
        (["neighbours", "--set", "knd=bm25"], "unknown setting 'knd'. Did you mean 'kind'?"),
        (["neighbours", "--since", "soon"], "--since: must be a time as 2026-11-01"),
        (["neighbours", "--since", "2030-01-01"], "has no listen that counts"),
        (["neighbours", "--arms", "T1"], "--arms: must be EXPERIMENT=ARM,..., got 'T1'"),
        (["neighbours", "--arms", "x=T1"], "is a training table, which has no arms"),
        (["popular", "--inverse-propensity", "fit"], "has no propensities to weight by"),
        (["compare", "--models", "nural"], "unknown model 'nural'"),
        (["neighbours", "--until", "1970-01-01T00:00:15"], "too few to learn from"),
    ],
    ids=["half-a-setting", "setting", "since", "empty", "half-an-arm", "arms", "propensities",
         "model", "too-few"],
)  # fmt: skip
def test_a_faulty_command_explains_the_fault(
    table: Path, tmp_path: Path, arguments: list[str], message: str
) -> None:
    result = train(*arguments, table=table, to=tmp_path)
    assert isinstance(result.exception, InputError)
    assert message in str(result.exception)


def test_only_sessions_of_the_chosen_time_count(table: Path, tmp_path: Path) -> None:
    # Session n begins 10 n seconds after 1970; a hundred of them before 00:16:40.
    result = train("popular", "--until", "1970-01-01T00:16:40", "--json", table=table, to=tmp_path)
    assert sum(json.loads(result.stdout)["sessions"].values()) == 100
