"""The learner: what a round decides, and that nothing changes where it fails."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from cli import main
from core.catalog import load_catalog
from core.errors import InputError, SegueError
from core.listener_tables import ListenerRows, save_table
from core.lists import save_lists
from core.vector_archive import load_vectors, save_vectors
from engine.runtime import load_runtime
from engine.settings.learnt_artifacts import ServingState
from engine.settings.loading import load_settings
from learning.learner import Learner
from learning.listen_store import ListenStore
from tests.learning.small_loop import START_MS, SmallLoop, write_config


def test_a_version_goes_from_training_through_a_pilot_into_service(folder: Path) -> None:
    loop = SmallLoop(folder, strategy="softly", pilot=0.4, bound=0.3)
    assert "version 1: piloted" in loop.round()
    settings = load_settings(folder / "config.yaml")
    assert settings.default == "personal"
    [pilot] = settings.experiments
    assert (pilot.name, [(arm.name, arm.weight, arm.strategy) for arm in pilot.arms]) == (
        "pilot_v1",
        [("C", 60, "personal"), ("T", 40, "softly.v1")],
    )
    loop.round()
    assert loop.outcomes[:2] == [("piloted", 1), ("promoted", 1)]
    promoted = load_runtime(load_settings(folder / "config.yaml"))
    assert promoted.default == "softly"
    assert promoted.artifacts.lists["similar"].manifest["model"] == "neighbours:listener"
    paths = promoted.settings.catalog.lists
    assert paths["similar"] == Path("artifacts/1/similar.npz")


def test_vectors_are_learnt_again_alone_where_their_model_has_more_files(folder: Path) -> None:
    catalog = load_catalog(folder / "world" / "tracks.jsonl")
    points = np.random.default_rng(1).normal(size=(200, 4))
    about = {"model": "interests", "params": {"factors": 4, "iterations": 1}}
    save_vectors(folder / "world" / "near.npz", "track", range(200), points, catalog, about)

    def near(config: dict[str, Any]) -> None:
        config["catalog"] |= {"lists": {}, "vectors": {"near": "world/near.npz"}}
        config["strategies"] = {
            "random": {"type": "random"},
            "nearest": {"type": "session_vectors", "vectors": "near", "fallback": "random"},
        }
        config["default"] = "random"

    write_config(folder, near)
    loop = SmallLoop(folder, strategy="nearest", pilot=0.4)
    said = loop.round()
    assert loop.outcomes == [("piloted", 1)], said
    assert {each.name for each in (folder / "artifacts" / "1").iterdir()} == {
        "manifest.json",
        "near.npz",
    }
    learnt = load_vectors(folder / "artifacts" / "1" / "near.npz", catalog)
    assert learnt.manifest["model"] == "interests"


def test_a_table_is_learnt_again_in_one_fit_with_its_vectors(folder: Path) -> None:
    of_one_fit = {"model": "interests", "params": {"factors": 4, "iterations": 1}}
    write_interest_config(folder, of_one_fit)
    loop = SmallLoop(folder, strategy="known", pilot=0.4)
    said = loop.round()
    assert loop.outcomes == [("piloted", 1)], said
    assert "'tables.near' 0." in loop.learner.ledger.read()[-1]["reason"]
    piloted = load_runtime(load_settings(folder / "config.yaml")).artifacts
    spaces = [each["near.v1"].manifest["space"] for each in (piloted.tables, piloted.vectors)]
    assert spaces[0] == spaces[1] != piloted.tables["near"].manifest["space"] == "first"
    loop.learner.store.save_state(ServingState((0, 1)))
    promoted = load_runtime(load_settings(folder / "config.yaml")).artifacts
    assert promoted.tables["near"].checksum == piloted.tables["near.v1"].checksum


def test_vectors_that_leave_their_table_behind_are_refused(folder: Path) -> None:
    write_interest_config(folder, {"model": "imported"})
    loop = SmallLoop(folder, strategy="known", pilot=0.4)
    assert "they have different spaces" in loop.round()
    assert loop.outcomes == [("refused", 1)]


def write_interest_config(folder: Path, about_table: dict[str, Any]) -> None:
    """Write a config whose vectors and table have one name, and the files of both."""
    catalog = load_catalog(folder / "world" / "tracks.jsonl")
    made = np.random.default_rng(1)
    about = {"model": "interests", "params": {"factors": 4, "iterations": 1}, "space": "first"}
    points = made.normal(size=(200, 4))
    save_vectors(folder / "world" / "near.npz", "track", range(200), points, catalog, about)
    rows = ListenerRows(
        made.normal(size=(1, 3, 4)), np.full((1, 3), 1 / 3), np.zeros(1), np.zeros((1, 2), np.int32)
    )
    about_table |= {"space": "first"}
    save_table(folder / "world" / "known.npz", ["0"], rows, catalog, about_table)

    def interest(config: dict[str, Any]) -> None:
        files = {"vectors": {"near": "world/near.npz"}, "tables": {"near": "world/known.npz"}}
        config["catalog"] |= {"lists": {}, **files}
        known = {"type": "interest", "vectors": "near", "table": "near", "fallback": "random"}
        config["strategies"] = {"random": {"type": "random"}, "known": known}
        config["default"] = "random"

    write_config(folder, interest)


def test_a_model_that_makes_no_such_file_is_named(folder: Path) -> None:
    def popularity(config: dict[str, Any]) -> None:
        (folder / "top.json").write_text("[0, 1]")
        config["catalog"]["top"] = "top.json"

    write_config(folder, popularity)
    loop = SmallLoop(folder, models={"top": "neighbours"})
    with pytest.raises(InputError, match=r"--model top=neighbours: .* a popularity list"):
        loop.round()
    assert not loop.learner.store.numbers()
    assert not list((folder / "artifacts").glob(".*.part"))


def test_a_round_without_a_new_session_learns_nothing(folder: Path) -> None:
    loop = SmallLoop(folder, pilot=0, bound=0.99)
    loop.round()
    before = files_of(folder / "artifacts")
    loop.learner.take_round(is_over=True)
    assert "nothing learnt, since no session is new" in loop.said[-1]
    assert files_of(folder / "artifacts") == before


def test_a_round_with_too_few_sessions_says_how_many_it_needs(folder: Path) -> None:
    loop = SmallLoop(folder, least=300)
    assert loop.round(100) == (
        "nothing learnt, since 100 sessions are new, too few to learn from (--least 300). The "
        "config's own files serve"
    )
    assert not loop.learner.store.numbers()
    assert "version 1: " in loop.round(250)  # sessions that were too few count later


def test_an_empty_log_is_said_before_anything_is_written(folder: Path) -> None:
    (folder / "log").mkdir()
    loop = SmallLoop(folder)
    with pytest.raises(InputError, match="no event files"):
        loop.learner.take_round()
    assert not (folder / "artifacts" / "serving.json").exists()


def test_a_round_counts_every_session_once(folder: Path) -> None:
    loop = SmallLoop(folder, least=10_000)
    for _ in range(3):
        loop.round(120)
    reads = json.loads((folder / "artifacts" / "listens" / "read.json").read_text())
    assert reads["sessions"] == 360
    assert len(reads["tables"]) == 3


def test_a_session_that_may_go_on_waits_for_a_later_round(folder: Path) -> None:
    loop = SmallLoop(folder, least=10_000)
    loop.play(60)
    [file] = (folder / "log").glob("*.jsonl")
    whole = file.read_bytes().splitlines(keepends=True)
    ends = [n for n, line in enumerate(whole) if json.loads(line)["message"] == "last"]
    learner = Learner(loop.options, None, lambda: START_MS + 60_000, loop.said.append)
    with learner.store.locked():
        file.write_bytes(b"".join(whole[: ends[-1]]))  # its last session has no end yet
        learner.take_round()
        file.write_bytes(b"".join(whole))
        learner.take_round()
    rounds = [each for each in loop.learner.ledger.read() if each["outcome"] == "round"]
    counted = [each["figures"]["sessions"] for each in rounds]
    assert 0 < counted[0] < 60
    assert sum(counted) == 60


def test_training_that_fails_leaves_what_serves(folder: Path) -> None:
    loop = SmallLoop(folder, pilot=0, bound=0.99)
    loop.round()
    shutil.rmtree(folder / "artifacts" / "listens")
    (folder / "artifacts" / "listens").write_text("no folder")
    before = files_of(folder / "artifacts")
    with pytest.raises(SegueError, match="artifacts/listens"):
        loop.round()
    assert files_of(folder / "artifacts") == before
    assert loop.outcomes[-1] == ("failed", None)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a disk that is full")
def test_a_full_disk_is_said_and_leaves_nothing_half_written(folder: Path) -> None:
    loop = SmallLoop(folder, pilot=0, bound=0.99)
    listens = folder / "artifacts" / "listens"
    listens.mkdir(parents=True)
    part = listens / "00001.parquet.part"
    part.symlink_to("/dev/full")
    loop.learner.ledger.path.symlink_to("/dev/full")  # so the failure cannot be recorded either
    with pytest.raises(SegueError, match=r"listens.*cannot be written: .*No space left"):
        loop.round()
    assert list(listens.iterdir()) == []
    loop.learner.ledger.path.unlink()
    loop.learner.take_round(is_over=True)
    assert loop.learner.store.numbers() == [1]


def test_a_folder_that_cannot_be_written_is_named(folder: Path) -> None:
    (folder / "artifacts").write_text("a file")
    loop = SmallLoop(folder)
    with (
        pytest.raises(InputError, match=r"cannot be written: .* make the folder .*artifacts"),
        loop.learner.store.locked(),
    ):
        pytest.fail("a file is no folder")


def test_a_second_loop_is_refused(folder: Path) -> None:
    loop = SmallLoop(folder)
    with (
        loop.learner.store.locked(),
        pytest.raises(SegueError, match="a second `segue learn` has its lock"),
        SmallLoop(folder).learner.store.locked(),
    ):
        pytest.fail("two loops at once")


def test_lists_that_collapsed_are_refused(folder: Path) -> None:
    # What serves knows the listeners' own tracks; the model of two neighbours knows nearly nothing.
    loop = SmallLoop(folder, models={"personal": "random"}, pilot=0.2)
    said = loop.round()
    assert loop.outcomes == [("refused", 1)]
    assert "NDCG@10 of 'personal' is 0.0" in said
    assert "and random lists reach" in said
    assert loop.serving == 0
    assert not load_settings(folder / "config.yaml").experiments


def test_a_version_that_the_log_cannot_judge_needs_a_pilot(folder: Path) -> None:
    write_config(folder, lambda config: config.update(default="ranked"))  # it draws the first only
    loop = SmallLoop(folder, pilot=0)
    said = loop.round()
    assert loop.outcomes == [("refused", 1)]
    assert "the log cannot tell" in said
    assert "(a pilot can tell: --pilot 0.2)" in said


def test_a_log_that_fails_its_checks_promotes_nothing(folder: Path) -> None:
    loop = SmallLoop(folder, pilot=0, bound=0.99)
    loop.play()
    lose_lines(folder / "log")
    loop.learner.take_round(is_over=True)
    assert loop.outcomes == [("refused", 1)]
    assert "the log fails its checks" in loop.said[-1]
    assert loop.serving == 0


def test_a_pilot_whose_log_fails_its_checks_promotes_nothing(folder: Path) -> None:
    loop = SmallLoop(folder, strategy="softly", pilot=0.4, bound=0.9)
    loop.round()
    loop.play()
    lose_lines(folder / "log")
    loop.learner.take_round(is_over=True)
    assert loop.outcomes == [("piloted", 1), ("goes_on", 1)]
    assert "the log fails its checks" in loop.said[-1]


def lose_lines(log: Path) -> None:
    """Remove every tenth decision of the last day."""
    last = max(log.glob("*.jsonl"), key=lambda path: path.stat().st_mtime_ns)
    lines = last.read_bytes().splitlines(keepends=True)
    last.write_bytes(b"".join(line for place, line in enumerate(lines) if place % 10))


def test_late_sessions_may_be_in_files_that_an_earlier_round_has_read(folder: Path) -> None:
    loop = SmallLoop(folder, least=10_000)
    loop.round(200)
    [first] = (folder / "log").glob("*.jsonl")
    loop.round(10)
    catalog = load_catalog(folder / "world" / "tracks.jsonl")
    store = ListenStore(folder / "artifacts", catalog, 1800)
    listens = store.all()
    assert listens is not None
    latest_tenth = int(listens.split(0.1)[1].at_ms.min())  # 21 sessions, 11 of them of day one
    assert first in store.files_since([folder / "log"], latest_tenth)
    assert first not in store.files_since([folder / "log"], int(listens.at_ms.max()))


def test_a_pilot_that_stays_unclear_is_given_up(folder: Path) -> None:
    loop = SmallLoop(folder, strategy="softly", pilot=0.05, bound=0.0, patience=2)
    loop.round(300)
    loop.round(60)
    assert loop.outcomes == [("piloted", 1), ("goes_on", 1)]
    loop.round(60)
    assert ("refused", 1) in loop.outcomes
    assert loop.serving == 0


def test_a_pilot_that_is_worse_is_refused(folder: Path) -> None:
    write_config(folder, lambda config: config["strategies"].update(same=canary(folder)))
    loop = SmallLoop(folder, pilot=0.5, bound=0.0, strategy="same")
    loop.round()
    loop.round(2500)
    assert loop.outcomes[:2] == [("piloted", 1), ("refused", 1)]
    refusal = next(each for each in loop.learner.ledger.read() if each["outcome"] == "refused")
    assert "worse by more than 0.0%" in refusal["reason"]
    assert loop.serving == 0


def test_a_later_version_keeps_the_strategy_of_the_one_that_serves(promoted: Path) -> None:
    loop = SmallLoop(promoted, bound=0.9)  # nobody names the strategy again
    loop.learner.store.save_state(ServingState((0, 1)))
    loop.round(600)
    assert load_settings(promoted / "config.yaml").default == "softly"
    assert loop.learner.store.manifest(3)["strategy"] == "softly"


def test_a_roll_back_says_to_what_it_went_back(promoted: Path) -> None:
    loop = SmallLoop(promoted)
    loop.learner.roll_back()
    assert loop.said[-1] == (
        "version 1: rolled back, since went back from version 1 on request, and ended pilot_v2. "
        "The config's own files serve"
    )
    assert load_settings(promoted / "config.yaml").default == "personal"


def test_a_roll_back_without_an_earlier_version_changes_nothing(folder: Path) -> None:
    loop = SmallLoop(folder)
    with pytest.raises(SegueError, match="there is no earlier version to go back to"):
        loop.learner.roll_back()
    assert not (folder / "artifacts").exists()


def test_a_roll_back_works_though_the_version_is_damaged(promoted: Path) -> None:
    (promoted / "artifacts" / "1" / "manifest.json").unlink()
    with pytest.raises(InputError, match=r"manifest.json.*version 1.*--roll-back"):
        load_settings(promoted / "config.yaml")
    SmallLoop(promoted).learner.roll_back()
    assert load_settings(promoted / "config.yaml").default == "personal"


def test_experiments_that_take_every_slot_leave_no_pilot(folder: Path) -> None:
    arms = {"C": {"strategy": "personal", "weight": 50}, "T": {"strategy": "ranked", "weight": 50}}
    write_config(folder, lambda config: config.update(experiments=[{"name": "all", "arms": arms}]))
    loop = SmallLoop(folder)
    with pytest.raises(InputError, match=r"must leave slots of layer 'serving' free.*--pilot 0"):
        loop.round(400)
    assert not loop.learner.store.numbers()  # it is said before a model is fitted
    assert load_settings(folder / "config.yaml").experiments[0].name == "all"


def test_lists_that_no_model_made_stay_as_they_are(folder: Path) -> None:
    config = load_settings(folder / "config.yaml")
    catalog = load_catalog(config.resolve(config.catalog.tracks))
    save_lists(
        folder / "world" / "similar.npz",
        "track",
        {0: [1, 2], 1: [0, 2]},
        catalog,
        {"model": "imported"},
    )
    loop = SmallLoop(folder)
    loop.round()
    assert loop.said[0].startswith("'similar' stays as it is: its manifest names 'imported'")
    assert not (folder / "artifacts" / "1" / "similar.npz").exists()


def test_the_log_of_the_whole_loop_is_valid_and_replays(promoted: Path) -> None:
    loop = SmallLoop(promoted)
    loop.play(100)  # version 1 serves, and version 2 plays in a pilot
    log = str(promoted / "log")
    replayed = CliRunner().invoke(main.build(), ["replay", log])
    assert replayed.exit_code == 0, replayed.output
    verified = CliRunner().invoke(main.build(), ["verify", log])
    assert verified.exit_code == 0, verified.output


def canary(folder: Path) -> dict[str, object]:
    """Play one track again and again."""
    first = json.loads((folder / "world" / "tracks.jsonl").read_text().splitlines()[0])
    return {"type": "constant", "track": first["track"]}


def files_of(folder: Path) -> dict[str, bytes]:
    """Read the files of a folder, but for the ledger."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in (".lock", "decisions.jsonl")
    }
