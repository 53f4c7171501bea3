"""`session_vectors` against its formula, computed here for every track."""

import numpy as np
import pytest

from core.catalog import UNKNOWN
from core.listener import Listener
from segue.testing.small_world import (
    TRACKS,
    WITHOUT_LIST,
    build,
    chances,
    small_artifacts,
    why,
)

WORLD = small_artifacts()
ARTIST = WORLD.catalog.artist_of.tolist()
UNITS = WORLD.vectors["taste"].units
LENGTHS = WORLD.vectors["taste"].lengths
ROW = {track: row for row, track in enumerate(WORLD.vectors["taste"].keys)}
SESSION = [(0, 1.0), (6, 0.05), (11, 0.7), (1, 0.5), (21, 1.0)]  # track 21 has no vector


def expected_scores(listens, fatigue=0.6, power=2.0, dislike=0.3, lengths=0.0):
    query, plays = np.zeros(3), {}
    for track, time in listens:
        played = plays.get(ARTIST[track], 0)
        plays[ARTIST[track]] = played + 1
        liking = min(1.0, time / fatigue**played)
        if track in ROW:
            query += (liking**power - dislike * (1 - liking)) * UNITS[ROW[track]]
    heard = {track for track, _ in listens}
    scores = {
        track: float(UNITS[row] @ query)
        * float(LENGTHS[row]) ** lengths
        * fatigue ** plays.get(ARTIST[track], 0)
        for track, row in ROW.items()
        if track not in heard
    }
    return {track: score for track, score in scores.items() if score > 0}


@pytest.mark.parametrize(
    "given", [{}, {"fatigue": 1.0}, {"power": 1.0, "dislike": 0.0}, {"lengths": 2.0}]
)
def test_scores_follow_the_formula(given):
    wanted = expected_scores(SESSION, **given)

    found = build("session_vectors", vectors="taste", draw="score", **given).propose(
        Listener.of("1", SESSION)
    )

    total = sum(wanted.values())
    assert chances(found) == pytest.approx(
        {track: score / total for track, score in wanted.items()}, rel=1e-5
    )
    scores = [wanted[track] for track in found.listed()]
    assert scores == pytest.approx(sorted(scores, reverse=True), rel=1e-5)


def test_first_proposes_the_best_track_alone():
    wanted = expected_scores(SESSION)

    found = build("session_vectors", vectors="taste").propose(Listener.of("1", SESSION))

    assert len(found) == 1
    assert wanted[found.listed()[0]] == pytest.approx(max(wanted.values()), rel=1e-5)


def test_only_the_nearest_tracks_are_ranked():
    found = build("session_vectors", vectors="taste", depth=3, draw="rank").propose(
        Listener.of("1", [(0, 1.0)])
    )
    assert found.weights == pytest.approx([1, 1 / 2, 1 / 3])


def test_a_repeat_may_come_only_where_params_allow_it():
    listener = Listener.of("1", [(0, 1.0)], earlier=[(1, 1.0)])
    of = {
        unheard: set(
            build("session_vectors", vectors="taste", draw="uniform", unheard=unheard)
            .propose(listener)
            .listed()
        )
        for unheard in ("none", "session", "history")
    }

    assert of["none"] - of["session"] == {0}
    assert of["session"] - of["history"] == {1}


@pytest.mark.parametrize(
    ("listens", "said"),
    [
        ([], "no track of this session has a vector"),
        ([(UNKNOWN, 1.0), (WITHOUT_LIST[0], 1.0)], "no track of this session has a vector"),
        ([(track, 1.0) for track in range(TRACKS)], "no unheard track has a positive score"),
    ],
    ids=["first-visit", "unknown", "heard-everything"],
)
def test_it_abstains_and_says_why(listens, said):
    made = build("session_vectors", vectors="taste")

    assert made.propose(Listener.of("1", listens)) is None
    assert said in why(made, Listener.of("1", listens))
