"""`factors`: how much a listen counts."""

import numpy as np
import pytest

import training.models  # noqa: F401  (importing it registers the models)
from tests import needs
from tests.training.listening import TRACKS, listening
from training.interactions import Interactions
from training.model import FitRun, build

pytestmark = needs.package("implicit")


def of_noise() -> tuple[Interactions, np.ndarray]:
    """Listens of tracks drawn by popularity alone, so that there is no taste to learn."""
    log = listening(1500)
    chance = 1 / np.arange(1, TRACKS + 1)
    order = np.random.default_rng(7).choice(TRACKS, len(log), p=chance / chance.sum())
    log.track[:] = order
    log.time[:] = 1.0
    return log, np.bincount(order, minlength=TRACKS)


@pytest.mark.parametrize("spec", ["factors", "factors:bpr"])
def test_defaults_do_not_learn_a_taste_from_noise(spec: str) -> None:
    log, plays = of_noise()
    ranked = build(spec)[0].fit(log, FitRun(log, threads=1)).rankers["user"](np.arange(30), TRACKS)
    heard = np.zeros((30, TRACKS), dtype=bool)
    early = log.user < 30
    heard[log.user[early], log.track[early]] = True
    # Of what a listener has not heard, the popular half is the better guess, and comes first.
    agreement = []
    for user, row in enumerate(ranked):
        fresh = row[~heard[user, row]]
        place = np.empty(len(fresh))
        place[np.argsort(-plays[fresh], kind="stable")] = np.arange(len(fresh))
        agreement.append(np.corrcoef(place, np.arange(len(fresh)))[0, 1])
    assert np.mean(agreement) > 0.5


def test_a_short_listen_says_more_than_none() -> None:
    log = listening(600)
    log.time[:] = 0.05
    fitted = build("factors", {"min_time": 0.0, "regularization": 1.0})[0].fit(
        log, FitRun(log, threads=1)
    )
    known, vectors = fitted.vectors["track"]
    scores = fitted.vectors["user"][1] @ vectors.T
    heard = np.zeros((len(log.users), TRACKS), dtype=bool)
    heard[log.user, log.track] = True
    # Confidence 1.5 against 1: without the 1 of an unheard track it would be 0.5 against 1.
    assert scores[heard[:, known]].mean() > 0.9
