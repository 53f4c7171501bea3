"""Heard tracks: left out of lists by listener, and of every ranking that is evaluated."""

from pathlib import Path

import numpy as np
import pytest

import training.models  # noqa: F401  (importing it registers the models)
from core.lists import load_lists
from core.progress import SILENT
from tests.training.listening import TRACKS, USERS, listening
from training.comparison import train_one
from training.evaluation_split import EvaluationSplit
from training.heard import HeardTracks, without_heard
from training.interactions import Interactions
from training.model import FitRun, FittedModel, build
from training.top_k import NONE
from training.training_options import TrainingOptions


def heard_by(log: Interactions, user: int) -> set[int]:
    """The tracks of one listener."""
    return set(log.track[log.user == user].tolist())


def fitted(log: Interactions) -> FittedModel:
    """Neighbours, whose lists by listener have what the listener heard."""
    return build("neighbours")[0].fit(log, FitRun(log))


def test_a_list_by_listener_is_the_plain_one_without_heard_tracks() -> None:
    log = listening(400)
    model = fitted(log)
    fresh = without_heard(model, HeardTracks(log)).rankers["user"](np.arange(USERS), 12)
    plain = model.rankers["user"](np.arange(USERS), TRACKS)
    for user in range(USERS):
        heard = heard_by(log, user)
        assert heard, "every listener heard something"
        wanted = [track for track in plain[user].tolist() if track not in heard and track != NONE]
        assert [track for track in fresh[user].tolist() if track != NONE] == wanted[:12]


def test_a_listener_who_heard_everything_has_an_empty_list() -> None:
    log = listening(400)
    log.user[:] = 0
    log.track[:TRACKS] = np.arange(TRACKS)
    ranked = without_heard(fitted(log), HeardTracks(log)).rankers["user"](np.array([0, 1]), 5)
    assert (ranked[0] == NONE).all()


def test_who_heard_what_is_told_for_any_pair() -> None:
    log = listening(60)
    heard = HeardTracks(log)
    users, tracks = np.arange(USERS)[:, None], np.arange(-1, TRACKS)
    found = heard.has(users, tracks)
    assert not found[:, 0].any(), "no track was heard by nobody"
    for user in range(USERS):
        assert set(np.flatnonzero(found[user, 1:]).tolist()) == heard_by(log, user)
    nothing = HeardTracks(log.where(np.zeros(len(log), dtype=bool)))
    assert not nothing.has(users, tracks).any()


def test_rankings_by_track_are_evaluated_without_what_the_listener_heard() -> None:
    log = listening(900)
    options = TrainingOptions(test_share=0.2, heard="out")
    split = EvaluationSplit.of(log, options)
    plain = EvaluationSplit.of(log, TrainingOptions(test_share=0.2))
    assert 0 < len(split.held_out) < len(plain.held_out)
    trial = split.evaluate_model("neighbours", *build("neighbours"), SILENT)
    by_track = trial.fitted.rankers["track"](np.arange(TRACKS), TRACKS)
    gains: dict[int, list[float]] = {}
    pairs = split.held_out
    for user, before, track in zip(pairs.user, pairs.before, pairs.track, strict=True):
        heard = heard_by(split.train_and_valid, int(user))
        assert int(track) not in heard
        fresh = [each for each in by_track[before].tolist() if each not in heard and each != NONE]
        place = fresh.index(int(track)) if int(track) in fresh else 99
        gains.setdefault(int(user), []).append(1 / np.log2(place + 2) if place < 10 else 0.0)
    metrics = next(each for each in trial.metrics if each.key == "track")
    assert metrics.accuracy["ndcg10"].value == pytest.approx(
        np.mean([np.mean(values) for values in gains.values()])
    )


def test_lists_that_are_written_leave_out_what_was_heard_in_the_whole_log(tmp_path: Path) -> None:
    log = listening(500)
    options = TrainingOptions(heard="out", top=30)
    model = ("neighbours", *build("neighbours"))
    train_one(log, model, tmp_path, options, None, SILENT)
    lists = load_lists(tmp_path / "neighbours_by_listener.npz", log.catalog)
    assert lists.manifest["options"]["heard"] == "out"
    for user, name in enumerate(log.users):
        own = lists.of_user(name)
        assert own is None or not set(own.listed()) & heard_by(log, user)
