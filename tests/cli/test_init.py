"""`segue init`: a folder to serve, from a file of listens, and nothing at all if that fails."""

import json
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import yaml
from jsonschema import Draft7Validator
from typer.testing import CliRunner, Result

from cli.import_choice import choose_import
from cli.main import build
from core.errors import InputError
from engine.runtime import load_runtime
from engine.settings.loading import load_settings
from tests import needs
from tests.own_data import write_csv, write_lastfm1k, write_ratings, write_spotify
from tests.served import serving

QUICK = ("popular", "neighbours:bm25", "neighbours:listener")
"""Models that need no package of an extra beyond the analysis."""


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out the models that take seconds: one test below tries them."""
    monkeypatch.setattr("cli.first_lists._MODELS", QUICK)


def init(*arguments: str | Path) -> Result:
    return CliRunner(env={"COLUMNS": "250"}).invoke(build(), ["init", *map(str, arguments)])


def made(folder: Path, *arguments: str | Path) -> str:
    result = init(folder, *arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    assert result.exit_code == 0
    return result.output


def faults_of(*arguments: str | Path) -> list[str]:
    result = init(*arguments)
    assert isinstance(result.exception, InputError)
    return [str(fault) for fault in result.exception.faults]


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A server's folder, made from a table."""
    folder = tmp_path_factory.mktemp("init")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cli.first_lists._MODELS", QUICK)
        made(folder / "mine", "--from", write_csv(folder / "listens.csv"))
    return folder / "mine"


def test_the_config_is_sound_and_serves_every_list_that_was_learnt(mine: Path) -> None:
    runtime = load_runtime(load_settings(mine / "config.yaml"))

    assert len(runtime.catalog) == 120
    assert set(runtime.settings.catalog.lists) == {"together", "similar", "personal"}
    assert set(runtime.chains) == {"random", "popular", "together", "similar", "personal"}
    assert {"data", "lists", "config.yaml", "config.schema.json"} == {
        each.name for each in mine.iterdir()
    }


def test_the_experiment_has_a_plan_and_a_salt_that_design_chose(mine: Path) -> None:
    settings = load_settings(mine / "config.yaml")
    (experiment,) = settings.experiments
    planned = settings.planned[experiment.name]

    assert experiment.salt.startswith(f"{experiment.name}-0")
    assert planned["listeners"] == 60
    assert planned["metric"] == "session_time"
    assert 0.05 < planned["mde"] < 0.5
    strategies = [arm.strategy for arm in experiment.arms]
    assert strategies[1] == settings.default
    assert experiment.name == f"{strategies[1]}_vs_{strategies[0]}"


def test_the_best_list_stands_first_and_the_comparison_is_beside_the_lists(mine: Path) -> None:
    report = json.loads((mine / "lists" / "comparison.json").read_text())
    scores = {
        (model["model"], lists["by"]): lists["ndcg10"][0]
        for model in report["models"]
        for lists in model["lists"]
    }
    served = {
        "together": scores["neighbours:bm25", "track"],
        "similar": scores["neighbours:listener", "track"],
        "personal": scores["neighbours:listener", "user"],
    }
    names = list(yaml.safe_load((mine / "config.yaml").read_text())["catalog"]["lists"])
    assert names == sorted(served, key=lambda name: -served[name])
    for name, score in served.items():
        assert f": {score:.4f}" in (mine / "config.yaml").read_text(), name


def test_the_config_names_its_schema_and_fits_it(mine: Path) -> None:
    text = (mine / "config.yaml").read_text()
    schema = json.loads((mine / "config.schema.json").read_text())

    assert text.startswith("# yaml-language-server: $schema=config.schema.json\n")
    assert list(Draft7Validator(schema).iter_errors(yaml.safe_load(text))) == []
    assert list(Draft7Validator(schema).iter_errors({**yaml.safe_load(text), "experimens": []}))


def test_the_server_answers_from_the_data_and_its_log_trains_the_lists_again(mine: Path) -> None:
    known = {f"u{person}" for person in range(60)}
    with serving(mine / "config.yaml") as address:
        for person in sorted(known):
            sent = {"user": person}
            for step in range(4):
                answer = httpx.post(f"{address}/recommend", json=sent, timeout=60).json()
                assert answer["track"] in {str(track) for track in range(120)}
                sent = {"user": person, "track": answer["track"], "time": 0.9 - 0.2 * step}
            httpx.post(f"{address}/feedback", json={**sent, "final": True}, timeout=60)
    trained = CliRunner().invoke(
        build(),
        ["train", "neighbours", str(mine / "log"), "--variant", "bm25",
         "--catalog", str(mine / "data" / "tracks.jsonl"), "--to", str(mine / "lists")],
    )  # fmt: skip

    assert trained.exit_code == 0, trained.output
    runtime = load_runtime(load_settings(mine / "config.yaml"))
    manifest = runtime.artifacts.lists["together"].manifest
    assert all(name.endswith(".jsonl") for name in manifest["logs"])


def test_nobody_simulates_listeners_of_ones_own_data(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(mine)
    result = CliRunner().invoke(build(), ["simulate", "--recommender", "local"])

    assert isinstance(result.exception, InputError)
    assert "no simulated listeners and no taste vectors" in str(result.exception)
    assert "segue init world" in str(result.exception)


@pytest.mark.parametrize(
    ("write", "name", "said"),
    [
        (write_ratings, "ratings.csv", "Columns: track=item, at=timestamp"),
        (write_lastfm1k, "userid-timestamp.tsv", "as lastfm1k: 2,021 listens in 360 sessions"),
    ],
    ids=["ratings", "lastfm1k"],
)
def test_other_kinds_of_files_need_no_option(
    tmp_path: Path, write: Callable[[Path], Path], name: str, said: str
) -> None:
    shown = made(tmp_path / "mine", "--from", write(tmp_path / name))

    assert said in shown
    assert ("Not read: rating" in shown) == (write is write_ratings)
    assert len(load_runtime(load_settings(tmp_path / "mine" / "config.yaml")).catalog) == 120


def test_the_folder_that_spotify_sends_is_read_as_it_is(tmp_path: Path) -> None:
    shown = made(tmp_path / "mine", "--from", write_spotify(tmp_path / "my_spotify_data"))

    assert "as spotify_history: 657 listens in 120 sessions of 1 listeners, 91 tracks" in shown
    text = (tmp_path / "mine" / "config.yaml").read_text()
    assert "# Not planned: must have 2 listeners, has 1" in text
    load_runtime(load_settings(tmp_path / "mine" / "config.yaml"))


def test_the_next_commands_are_three_and_name_the_folder_and_a_listener(tmp_path: Path) -> None:
    folder = tmp_path / "with a space"
    shown = made(folder, "--from", write_csv(tmp_path / "x.csv", 30))
    _, _, after = shown.partition("Next:\n")
    commands = [line.strip() for line in after.splitlines()]

    assert [command.split()[:2] for command in commands] == [
        ["segue", "serve"],
        ["curl", "localhost:8000/recommend"],
        ["segue", "report"],
    ]
    assert f"'{folder / 'config.yaml'}'" in commands[0]
    assert """-d '{"user":"u0"}'""" in commands[1]


def test_what_stands_in_the_file_is_read_with_the_users_own_columns(tmp_path: Path) -> None:
    table = tmp_path / "x.csv"
    write_csv(table)
    lines = table.read_text().splitlines()
    table.write_text("\n".join(["who,what,share,when,by,called", *lines[1:]]))
    columns = ["user=who", "track=what", "time=share", "at=when", "artist=by", "title=called"]
    given = [part for each in columns for part in ("--column", each)]
    shown = made(tmp_path / "mine", "--from", table, *given)

    assert "2,021 listens in 360 sessions" in shown
    first = json.loads((tmp_path / "mine" / "data" / "tracks.jsonl").read_text().splitlines()[0])
    assert first["artist"].startswith("Artist ")


def test_a_file_with_too_few_sessions_is_served_without_a_comparison(tmp_path: Path) -> None:
    table = tmp_path / "few.csv"
    table.write_text("user,track\nann,a\nann,b\nben,a\nben,c\n")
    shown = made(tmp_path / "mine", "--from", table)
    settings = load_settings(tmp_path / "mine" / "config.yaml")

    assert "The lists were not compared: " in shown
    assert "together" in settings.strategies
    assert len(load_runtime(settings).catalog) == 3


def test_a_file_of_one_listener_has_an_experiment_without_a_plan(tmp_path: Path) -> None:
    table = tmp_path / "one.csv"
    table.write_text("user,track\nann,a\nann,b\n")
    made(tmp_path / "mine", "--from", table)
    text = (tmp_path / "mine" / "config.yaml").read_text()

    assert "# Not planned: " in text
    assert not load_settings(tmp_path / "mine" / "config.yaml").planned


@needs.package("implicit")
@needs.package("torch")
def test_every_model_that_is_installed_is_tried(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    made(tmp_path / "mine", "--from", write_csv(tmp_path / "x.csv", 30))
    served = load_settings(tmp_path / "mine" / "config.yaml").catalog.lists

    assert set(served) == {"together", "similar", "personal", "taste", "neural"}


def test_a_missing_package_is_named_and_the_remaining_lists_are_learnt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr("cli.first_lists.find_spec", lambda name: None)
    shown = made(tmp_path / "mine", "--from", write_csv(tmp_path / "x.csv", 30))

    assert "Not tried: factors, since it needs implicit (pip install 'segue[train]')" in shown
    assert "Not tried: neural, since it needs torch" in shown
    assert (tmp_path / "mine" / "lists" / "neighbours_bm25_by_track.npz").exists()


def test_the_embedded_world_is_copied_with_a_config_that_names_its_schema(tmp_path: Path) -> None:
    made(tmp_path / "new" / "world")
    folder = tmp_path / "new" / "world"
    runtime = load_runtime(load_settings(folder / "config.yaml"))

    assert len(runtime.catalog) == 10_000
    text = (folder / "config.yaml").read_text()
    original = (Path(__file__).parents[2] / "config.yaml").read_text()
    assert text == f"# yaml-language-server: $schema=config.schema.json\n{original}"
    assert (folder / "config.schema.json").exists()
    assert (folder / "data" / "users.jsonl").exists()


@pytest.mark.parametrize("source", [[], ["--from", "x.csv"]], ids=["world", "file"])
def test_a_folder_that_holds_files_is_refused_and_left_as_it_is(
    tmp_path: Path, source: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_csv(tmp_path / "x.csv", 5)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "notes.txt").write_text("mine")
    (fault,) = faults_of(folder, *source)

    assert fault == (f"{folder}: must be empty or new, but holds files. Choose a different folder")
    assert [each.name for each in folder.iterdir()] == ["notes.txt"]


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x")

    assert "must be a folder, is a file" in faults_of(tmp_path / "mine")[0]


@pytest.mark.parametrize("there", [False, True], ids=["new", "empty"])
@pytest.mark.parametrize("content", ["user;track\n1;2\n", "user,track\n", "\x00\x01"], ids=repr)
def test_a_failure_leaves_nothing_behind(tmp_path: Path, there: bool, content: str) -> None:
    table, folder = tmp_path / "x.csv", tmp_path / "a" / "b" / "mine"
    table.write_text(content)
    if there:
        folder.mkdir(parents=True)
    before = sorted(tmp_path.rglob("*"))
    assert faults_of(folder, "--from", table)

    assert sorted(tmp_path.rglob("*")) == before


def test_an_interrupt_leaves_nothing_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("cli.first_server.learn_first_lists", interrupted)
    result = init(tmp_path / "mine", "--from", write_csv(tmp_path / "x.csv", 5))

    assert result.exit_code != 0
    assert [each.name for each in tmp_path.iterdir()] == ["x.csv"]


def test_a_kind_without_a_file_is_refused(tmp_path: Path) -> None:
    assert "must name your file" in faults_of(tmp_path / "mine", "--kind", "table")[0]
    assert "does not exist" in faults_of(tmp_path / "mine", "--from", tmp_path / "no.csv")[0]
    assert list(tmp_path.iterdir()) == []


FIRST_LINES = {
    "table": ("user,track\n1,2\n", "x.csv"),
    "lastfm1k": ("user_000001\t2009-05-04T23:08:57Z\t\tDeep Dish\t\tFuck Me\n", "x.tsv"),
    "lastfm360k": (f"{'0a' * 20}\t\tbetty blowtorch\t2137\n", "x.tsv"),
    "taste_profile": (f"{'0a' * 20}\tSOAKIMP12A8C130995\t1\n", "x.txt"),
    "listenbrainz": ('{"listened_at": 1, "track_metadata": {}}\n', "1.listens"),
    "spotify_history": ('[\n  {\n    "ts": "2026-01-05T00:00:00Z"\n', "endsong_0.json"),
    "mpd": ("{}", "mpd.slice.0-999.json"),
}


@pytest.mark.parametrize("kind", FIRST_LINES)
def test_the_kind_is_seen_by_the_first_line_or_the_name(kind: str, tmp_path: Path) -> None:
    content, name = FIRST_LINES[kind]
    (tmp_path / name).write_text(content)

    assert choose_import(tmp_path / name, None, {}).kind == kind
    assert choose_import(tmp_path, None, {}).kind == kind
    assert choose_import(tmp_path / name, "yambda", {}).kind == "yambda"


def test_a_column_that_is_named_wins_and_two_candidates_are_no_guess(tmp_path: Path) -> None:
    table = tmp_path / "x.csv"
    table.write_text("user_id,item_id,song_id,timestamp,artist\n")

    assert choose_import(table, None, {}).columns == {"user": "user_id", "at": "timestamp"}
    chosen = choose_import(table, None, {"track": "song_id", "session": "timestamp"})
    assert chosen.columns == {"track": "song_id", "session": "timestamp", "user": "user_id"}
    assert chosen.unread == ["item_id"]
