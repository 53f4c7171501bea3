"""`session_lists`: every score against the formula, computed here track by track."""

from collections import defaultdict

import pytest

from core.catalog import UNKNOWN
from core.errors import SegueError
from core.listener import Listener
from segue.testing.small_world import (
    build,
    chances,
    list_for,
    list_of,
    small_artifacts,
    small_catalog,
    why,
)

K, FATIGUE, POWER, DISLIKE = 30.0, 0.6, 2.0, 0.3
ARTIST = small_catalog().artist_of.tolist()


def expected_scores(listens, depth=100, lists=(list_of,), weights=(1.0,), own=(), own_weight=0.0):
    """Score every track as the docstring of the type says."""
    scores, plays = defaultdict(float), defaultdict(int)
    for track, time in listens:
        liking = min(1.0, time / FATIGUE ** plays[ARTIST[track]])
        plays[ARTIST[track]] += 1
        for row_of, share in zip(lists, weights, strict=True):
            weight = (liking**POWER - DISLIKE * (1 - liking)) * share
            for rank, near in enumerate(row_of(track)[:depth], 1):
                scores[near] += weight / (K + rank)
    for rank, near in enumerate(own[:depth], 1):
        scores[near] += own_weight / (K + rank)
    heard = {track for track, _ in listens}
    tired = {t: s * FATIGUE ** plays[ARTIST[t]] for t, s in scores.items() if t not in heard}
    return {track: score for track, score in tired.items() if score > 0}


SESSION = [(0, 1.0), (6, 0.05), (11, 0.7), (1, 0.5)]  # 0 and 1 are by one artist


@pytest.mark.parametrize(
    ("params", "given"),
    [
        ({}, {}),
        ({"depth": 2}, {"depth": 2}),
        (
            {"personal": "personal", "personal_weight": 0.4},
            {"own": list_for(3), "own_weight": 0.4},
        ),
    ],
    ids=["one-list", "depth", "the-listeners-own-list"],
)
def test_scores_follow_the_formula(params, given):
    made = build("session_lists", lists="contextual", draw="score", **params)
    wanted = expected_scores(SESSION, **given)

    found = made.propose(Listener.of("3", SESSION))

    total = sum(wanted.values())
    assert chances(found) == pytest.approx({track: each / total for track, each in wanted.items()})
    ranked = sorted(wanted, key=lambda track: (-wanted[track], track))
    assert found.listed() == ranked


def test_first_proposes_the_best_track_alone():
    wanted = expected_scores(SESSION)
    best = max(wanted, key=lambda track: (wanted[track], -track))

    assert build("session_lists", lists="contextual").propose(
        Listener.of("3", SESSION)
    ).listed() == [best]


def test_a_list_with_twice_the_weight_counts_twice():
    both = build("session_lists", lists={"contextual": 2.0}, draw="score")
    one = build("session_lists", lists="contextual", draw="score")

    twice, once = (each.propose(Listener.of("3", SESSION)) for each in (both, one))

    assert twice.weights == pytest.approx(2 * once.weights)


def test_rank_and_uniform_draw_from_the_same_ranking():
    listener = Listener.of("3", SESSION)
    ranking = build("session_lists", lists="contextual", draw="score").propose(listener).listed()

    by_rank = build("session_lists", lists="contextual", draw="rank").propose(listener)
    uniform = build("session_lists", lists="contextual", draw="uniform").propose(listener)

    assert by_rank.listed() == uniform.listed() == ranking
    assert by_rank.weights == pytest.approx([1 / rank for rank in range(1, len(ranking) + 1)])
    assert uniform.weights is None


def test_a_repeat_may_come_only_where_params_allow_it():
    listener = Listener.of("3", [(0, 1.0), (1, 1.0)], earlier=[(5, 1.0)])
    of = {
        unheard: set(
            build("session_lists", lists="contextual", draw="score", unheard=unheard)
            .propose(listener)
            .listed()
        )
        for unheard in ("none", "session", "history")
    }

    assert 1 in of["none"]  # on the list of track 0
    assert of["none"] - of["session"] == {1}
    assert of["session"] - of["history"] == {5}


def test_a_skipped_track_counts_against_its_list():
    """Track 11 is on the lists of 0 and of 4, and by neither artist."""
    made = build("session_lists", lists="contextual", draw="score")
    score = {}
    for name, listens in {"alone": [], "liked": [(4, 1.0)], "skipped": [(4, 0.0)]}.items():
        found = made.propose(Listener.of("3", [(0, 1.0), *listens]))
        score[name] = dict(zip(found.listed(), found.weights.tolist(), strict=True))[11]

    assert score["skipped"] < score["alone"] < score["liked"]


@pytest.mark.parametrize(
    ("listens", "said"),
    [
        ([], "no track of this session has a list"),
        ([(21, 1.0)], "no track of this session has a list"),
        ([(UNKNOWN, 1.0)], "no track of this session has a list"),
        ([(0, 0.0)], "no track has a positive score"),
    ],
    ids=["first-visit", "without-a-list", "unknown", "only-a-skip"],
)
def test_it_abstains_and_says_why(listens, said):
    made = build("session_lists", lists="contextual")

    assert made.propose(Listener.of("9", listens)) is None
    assert said in why(made, Listener.of("9", listens))


def test_the_listeners_own_list_answers_a_first_visit():
    made = build("session_lists", lists="contextual", personal="personal", draw="score")

    assert made.propose(Listener.of("3")).listed() == list_for(3)


def test_by_score_a_place_is_worth_its_share_of_the_first_score():
    # In the small world the tracks of a list score 1/2, 1/3, 1/4 ...
    found = build(
        "session_lists", lists="contextual", by="score", draw="score", dislike=0.0, fatigue=1.0
    ).propose(Listener.of("1", [(0, 1.0), (1, 0.5)]))

    wanted: dict[int, float] = {}
    for track, weight in ((0, 1.0), (1, 0.25)):
        for rank, other in enumerate(list_of(track)):
            wanted[other] = wanted.get(other, 0) + weight * 2 / (2 + rank)
    wanted = {track: score for track, score in wanted.items() if track not in (0, 1)}
    total = sum(wanted.values())
    assert chances(found) == pytest.approx(
        {track: score / total for track, score in wanted.items()}, rel=1e-5
    )


def test_by_score_needs_scores():
    artifacts = small_artifacts()
    artifacts.lists["contextual"].scores = None

    with pytest.raises(SegueError, match="lists 'contextual' must have scores for `by: score`"):
        build("session_lists", artifacts, lists="contextual", by="score")
