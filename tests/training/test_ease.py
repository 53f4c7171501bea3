"""EASE against its definition, computed here by a plain inverse."""

import numpy as np
import pytest

import training.models  # noqa: F401  (importing it registers the models)
from tests.training.listening import TRACKS, listening
from training.model import FitRun, build


def weights_by_definition(heard: np.ndarray, l2: float) -> np.ndarray:
    """Give the weights as Steck's equation 8 has them."""
    inverse = np.linalg.inv(heard.T @ heard + l2 * np.eye(heard.shape[1]))
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    return weights


def heard_by(owner: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Give the dense matrix of what each owner heard."""
    train = listening()
    heard = np.zeros((int(owner.max()) + 1, TRACKS))
    heard[owner[rows], train.track[rows]] = 1.0
    return heard


def assert_best(ranked: np.ndarray, scores: np.ndarray) -> None:
    """Assert that each list has the best positive scores; rounding may swap near equals."""
    for row, own in zip(ranked, scores, strict=True):
        found = own[row[row >= 0]]
        best = -np.sort(-own[own > 1e-9])[: len(row)]
        assert len(found) == pytest.approx(len(best), abs=0)
        assert found == pytest.approx(best, abs=1e-5)


@pytest.mark.parametrize("over", ["listener", "session"])
def test_lists_follow_the_definition(over: str) -> None:
    train = listening()
    rows = train.time >= 0.3
    owner = train.user if over == "listener" else train.session
    weights = weights_by_definition(heard_by(owner, rows), 20.0)
    np.fill_diagonal(weights, -np.inf)

    fitted = build("ease", {"over": over, "l2": 20.0})[0].fit(train, FitRun(train))
    ranked = fitted.rankers["track"](np.arange(TRACKS), 10)

    assert_best(ranked, weights)


def test_a_listeners_list_adds_up_the_weights_of_what_they_heard() -> None:
    train = listening()
    rows = train.time >= 0.3
    weights = weights_by_definition(heard_by(train.user, rows), 100.0)
    profile = np.zeros((len(train.users), TRACKS))
    np.add.at(profile, (train.user[rows], train.track[rows]), train.time[rows])
    scores = profile @ weights

    fitted = build("ease")[0].fit(train, FitRun(train))
    ranked = fitted.rankers["user"](np.arange(len(train.users)), 5)

    assert_best(ranked, scores)


def test_only_the_tracks_with_most_listens_are_learnt() -> None:
    train = listening()
    plays = np.bincount(train.track[train.time >= 0.3], minlength=TRACKS)
    most = set(np.argsort(-plays, kind="stable")[:7].tolist())

    fitted = build("ease", {"tracks": 7})[0].fit(train, FitRun(train))
    ranked = fitted.rankers["track"](np.arange(TRACKS), 10)

    assert fitted.facts == {"tracks": 7}
    listed = set(ranked[ranked >= 0].tolist())
    assert listed
    assert listed <= most
    assert {track for track in range(TRACKS) if (ranked[track] >= 0).any()} <= most
