"""Every model on listens of known tastes, which are groups of tracks."""

from functools import cache

import numpy as np
import pytest

import training.models  # noqa: F401  (importing it registers the models)
from core.errors import InputError, SegueError
from tests import needs
from tests.training.listening import GROUPS, SIZE, TRACKS, USERS, group_of, listening
from training.comparison import BASELINES, all_variants
from training.model import MODELS, FitRun, FittedModel, build, known, model
from training.top_k import NONE

SPECS = [
    pytest.param(spec, marks=needs.package(package) if package else ())
    for spec, package in all_variants().items()
]
TASTE = [param for param in SPECS if str(param.values[0]).partition(":")[0] not in BASELINES]
# Regressions need more steps than 1,350 sessions make in batches of 4,096; and here a session's
# first track is always liked, the previous one seldom.
SETTINGS = {
    "neural:dot": {"batch": 256, "epochs": 12, "rate": 0.02, "context": "first"},
    "neural:cosine": {"batch": 256, "epochs": 12, "rate": 0.02, "context": "first"},
    # A pass of 90 tracks by 60 listeners has few steps.
    "factors:bpr": {"iterations": 60},
}


def fitted(spec: str, seed: int = 1) -> FittedModel:
    """The model, fitted on the earlier nine tenths."""
    train, valid = listening().split(0.1)
    model, _ = build(spec, SETTINGS.get(spec))
    return model.fit(train, FitRun(valid, seed=seed, threads=1))


@cache
def model_of(spec: str) -> FittedModel:
    """The same, fitted once for all tests."""
    return fitted(spec)


@pytest.mark.parametrize("spec", SPECS)
def test_a_list_has_distinct_tracks_without_its_own(spec: str) -> None:
    for key, ranker in model_of(spec).rankers.items():
        count = TRACKS if key == "track" else USERS
        for owner, row in enumerate(ranker(np.arange(count), 20)):
            listed = row[row != NONE].tolist()
            assert len(set(listed)) == len(listed)
            assert all(0 <= track < TRACKS for track in listed)
            assert key == "user" or owner not in listed
            assert (row[len(listed) :] == NONE).all(), "only the end of a list is empty"


@pytest.mark.parametrize("spec", TASTE)
def test_lists_are_of_the_group_of_the_track_or_the_listener(spec: str) -> None:
    for key, ranker in model_of(spec).rankers.items():
        count = TRACKS if key == "track" else USERS
        ranked = ranker(np.arange(count), 10)
        own = group_of(np.arange(TRACKS)) if key == "track" else np.arange(USERS) % GROUPS
        right = np.mean(group_of(ranked) == own[:, None])
        assert right > 0.9, f"{right:.2f} of the lists by {key}; at random {1 / GROUPS:.2f}"


@pytest.mark.parametrize("spec", SPECS)
def test_the_same_seed_gives_the_same_lists(spec: str) -> None:
    again = fitted(spec)
    for key, ranker in model_of(spec).rankers.items():
        keys = np.arange(TRACKS if key == "track" else USERS)
        assert np.array_equal(ranker(keys, 15), again.rankers[key](keys, 15))


def test_popular_ranks_first_tracks_that_many_listeners_heard_for_long() -> None:
    train = listening()
    liked = train.where((group_of(train.track) != 2) | (train.time > 0.5))
    order = build("popular")[0].fit(liked, FitRun(liked)).order
    assert order is not None
    assert sorted(order.tolist()) == list(range(TRACKS))
    # Group 2 was never skipped, but was heard by its own listeners only: less reach.
    assert not set(order[:SIZE].tolist()) & set(range(2 * SIZE, 3 * SIZE))
    plays = build("popular:plays")[0].fit(liked, FitRun(liked)).order
    assert plays is not None
    counts = np.bincount(liked.track, minlength=TRACKS)
    assert (np.diff(counts[plays]) <= 0).all()


@pytest.mark.parametrize(
    ("spec", "settings", "message"),
    [
        ("neighbour", {}, r"unknown model 'neighbour'\. Did you mean 'neighbours'\?"),
        ("neighbours:bm52", {}, r"unknown variant 'bm52'\. Did you mean 'bm25'\?"),
        ("neighbours", {"kinds": "x"}, r"unknown setting 'kinds'\. Did you mean 'kind'\?"),
        ("neighbours", {"shrink": "-1"}, r"neighbours\.shrink: .*greater than.* got '-1'"),
    ],
    ids=["model", "variant", "setting", "value"],
)
def test_an_unknown_name_comes_with_the_nearest_one(
    spec: str, settings: dict[str, str], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        build(spec, settings)


def test_a_model_cannot_take_the_name_of_another_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("training.model.MODELS", MODELS.copy())
    rival = type("Rival", (), {"__module__": "elsewhere"})
    with pytest.raises(SegueError) as error:
        model("popular")(rival)
    assert str(error.value) == (
        "elsewhere.Rival: model 'popular' is taken by training.models.popular.Popular. "
        "Choose another name"
    )
    assert known()["popular"].make.__module__ == "training.models.popular"
