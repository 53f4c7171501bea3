"""Merge: several ranked lists as one, by reciprocal rank."""

import pytest

from core.listener import Listener
from segue.testing.small_world import TOP, build, chances, list_for, list_of, why
from strategies.base import named_in
from strategies.registry import find

AFTER_4 = Listener.of("4", [(4, 1.0)])


def merge(strategies=("contextual", "personal"), **params):
    names = strategies if isinstance(strategies, dict) else list(strategies)
    return build("merge", strategies=names, **params)


def scores(k=60.0, weights=(1, 1), depth=100):
    found = {}
    for weight, ranked in zip(weights, (list_of(4), list_for(4)), strict=True):
        for rank, track in enumerate(ranked[:depth], start=1):
            found[track] = found.get(track, 0) + weight / (k + rank)
    return found


@pytest.mark.parametrize(
    "params",
    [{}, {"k": 0}, {"k": 0, "depth": 2}, {"k": 1.5, "depth": 4}],
    ids=["default", "k-0", "two-deep", "k-1.5"],
)
def test_the_score_is_the_sum_of_reciprocal_ranks(params):
    expected = scores(**params)
    total = sum(expected.values())
    found = chances(merge(**params).propose(AFTER_4))
    assert found == pytest.approx({track: score / total for track, score in expected.items()})


def test_the_best_score_stands_first_and_equals_in_order_of_appearance():
    # contextual: 5 9 11 15 17 21; personal: 20 23 0 5 10. Only 5 stands on both.
    assert merge().propose(AFTER_4).listed() == [5, 20, 9, 23, 11, 0, 15, 17, 10, 21]


def test_weights_make_some_lists_count_more():
    weighted = merge({"contextual": 1, "personal": 3}, k=0)
    expected = scores(k=0, weights=(1, 3))
    assert weighted.propose(AFTER_4).listed()[:3] == [20, 5, 23]
    assert chances(weighted.propose(AFTER_4))[5] == pytest.approx(
        expected[5] / sum(expected.values())
    )


def test_draws_over_the_merged_list():
    assert merge(draw="first").propose(AFTER_4).listed() == [5]
    assert merge(draw="uniform").propose(AFTER_4).weights is None
    ranked = merge(draw="rank").propose(AFTER_4)
    assert ranked.listed() == merge().propose(AFTER_4).listed()
    assert ranked.weights.tolist() == [1 / rank for rank in range(1, 11)]


def test_it_may_leave_out_what_was_heard():
    listener = Listener.of("4", [(5, 0.1), (4, 1.0)], earlier=[(20, 1.0)])
    assert merge(draw="first").propose(listener).listed() == [5]
    assert merge(draw="first", unheard="session").propose(listener).listed() == [20]
    left = merge(unheard="history").propose(listener)
    assert left.listed() == [9, 23, 11, 0, 15, 17, 10, 21]
    kept = {track: score for track, score in scores().items() if track not in (5, 20)}
    assert chances(left) == pytest.approx(
        {track: score / sum(kept.values()) for track, score in kept.items()}
    )


def test_it_merges_those_that_do_not_abstain():
    assert merge().propose(Listener.of("4")).listed() == list_for(4)
    assert why(merge(), Listener.of("4"))[1] == "'contextual' abstains, the others are merged"
    assert merge().propose(Listener.of("9")) is None


def test_it_abstains_when_everything_was_heard():
    heard = [(track, 0.5) for track in TOP]
    shy = merge(("popular", "contextual"), unheard="session")
    assert shy.propose(Listener.of("1", [*heard, (21, 0.5)])) is None


@pytest.mark.parametrize(
    ("strategies", "match"),
    [
        (["popular"], "at least 2 items"),
        (["popular", "random", "popular"], "each strategy may stand once, 'popular' stands twice"),
        ({"popular": 1, "random": 0}, "greater than 0"),
    ],
    ids=["one", "twice", "zero"],
)
def test_what_cannot_be_merged_is_refused(strategies, match):
    with pytest.raises(ValueError, match=match):
        merge(strategies)


def test_the_names_of_its_members_are_found_for_the_check_at_start():
    params = find("merge").params.model_validate({"strategies": ["popular", "contextual"]})
    assert [name for _, name in named_in(params, "strategy")] == ["popular", "contextual"]


def test_it_always_answers_when_one_member_does_and_nothing_is_left_out():
    assert merge(("contextual", "popular")).always_answers
    assert not merge(("contextual", "popular"), unheard="session").always_answers
    assert not merge(("contextual", "personal")).always_answers
