"""Mixture: named strategies with weights."""

import pytest

from core.listener import Listener
from segue.testing.small_world import (
    TRACKS,
    build,
    chances,
    list_for,
    list_of,
    small_artifacts,
    why,
)
from strategies.base import Named, named_in
from strategies.registry import find


def mixture(artifacts=None, **weights):
    return build("mixture", artifacts, strategies=weights)


def test_chances_are_the_weighted_sum_of_its_members():
    proposed = mixture(contextual=9, random=1).propose(Listener.of("1", [(4, 1.0)]))
    expected = {t: 0.1 / TRACKS + (0.9 / 6 if t in list_of(4) else 0) for t in range(TRACKS)}
    assert chances(proposed) == pytest.approx(expected)
    assert len(proposed) == TRACKS
    assert proposed.source is None


def test_members_keep_their_own_chances():
    artifacts = small_artifacts()
    ranked = build("personal", list="personal", draw="rank")
    artifacts.strategies["ranked"] = Named("ranked", ranked)
    proposed = mixture(artifacts, ranked=1, contextual=3).propose(Listener.of("4", [(4, 1.0)]))
    total = sum(1 / rank for rank in range(1, 6))
    expected = dict.fromkeys(list_of(4), 0.75 / 6)
    for rank, track in enumerate(list_for(4), start=1):
        expected[track] = expected.get(track, 0) + 0.25 / rank / total
    assert chances(proposed) == pytest.approx(expected)


def test_members_that_abstain_leave_their_weight_to_the_rest():
    three = mixture(contextual=8, personal=1, popular=1)
    proposed = three.propose(Listener.of("9", [(4, 1.0)]))
    assert proposed.chance_of(9) == pytest.approx(8 / 9 / 6)
    assert why(three, Listener.of("9", [(4, 1.0)]))[1:4] == [
        "'contextual' with weight 8.0",
        "the listener has no list in 'personal'",
        "'personal' abstains, the others share its weight 1.0",
    ]


def test_the_only_member_left_is_the_strategy_that_answered():
    proposed = mixture(contextual=9, random=1).propose(Listener.of("1"))
    assert (proposed.source, proposed.listed()) == ("random", list(range(TRACKS)))


def test_it_abstains_when_all_members_do():
    assert mixture(contextual=1, personal=1).propose(Listener.of("9")) is None


def test_mixtures_may_be_mixed():
    artifacts = small_artifacts()
    artifacts.strategies["inner"] = Named("inner", mixture(contextual=1, popular=1))
    proposed = mixture(artifacts, inner=1, random=1).propose(Listener.of("1", [(4, 1.0)]))
    assert proposed.chance_of(5) == pytest.approx(0.25 / 6 + 0.25 / 8 + 0.5 / TRACKS)
    assert proposed.chances().sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("weights", "match"),
    [
        ({}, "at least 1 item"),
        ({"random": 0}, "greater than 0"),
        ({"random": float("inf")}, "finite number"),
    ],
    ids=["none", "zero", "infinite"],
)
def test_weights_that_make_no_mixture_are_refused(weights, match):
    with pytest.raises(ValueError, match=match):
        mixture(**weights)


def test_the_names_of_its_members_are_found_for_the_check_at_start():
    params = find("mixture").params.model_validate({"strategies": {"popular": 1, "random": 2}})
    assert named_in(params, "strategy") == [
        ("strategies.popular", "popular"),
        ("strategies.random", "random"),
    ]


def test_it_always_answers_when_one_member_does():
    assert mixture(contextual=9, random=1).always_answers
    assert not mixture(contextual=9, personal=1).always_answers
