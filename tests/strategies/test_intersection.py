"""Intersection: what two strategies agree on."""

import pytest

from core.listener import Listener
from segue.testing.small_world import build, list_for, list_of, small_artifacts, why
from strategies.base import Named


def both(first="contextual", second="popular", artifacts=None, **params):
    return build("intersection", artifacts, first=first, second=second, **params)


def test_it_keeps_what_both_propose_in_the_order_of_the_first():
    listener = Listener.of("1", [(0, 1.0)])
    assert both().propose(listener).listed() == [1, 5, 13, 17]
    assert both("popular", "contextual").propose(listener).listed() == [13, 1, 5, 17]


def test_it_names_neither_as_the_one_that_answered():
    assert both().propose(Listener.of("1", [(4, 1.0)])).source is None
    assert both("popular", "random").propose(Listener.of("1")).source is None


def test_it_keeps_the_chances_of_the_first():
    artifacts = small_artifacts()
    ranked = build("contextual", list="contextual", draw="rank")
    artifacts.strategies["ranked"] = Named("ranked", ranked)
    proposed = both("ranked", "popular", artifacts).propose(Listener.of("1", [(0, 1.0)]))
    # 1, 5, 13 and 17 of 1, 5, 7, 11, 13, 17.
    assert proposed.weights.tolist() == [1, 1 / 2, 1 / 5, 1 / 6]


@pytest.mark.parametrize(("first", "second"), [("random", "personal"), ("personal", "random")])
def test_the_whole_catalog_takes_nothing_away(first, second):
    assert both(first, second).propose(Listener.of("4")).listed() == list_for(4)


@pytest.mark.parametrize(("at_least", "answers"), [(4, True), (5, False)])
def test_it_abstains_below_its_minimum(at_least, answers):
    listener = Listener.of("1", [(0, 1.0)])
    assert (both(at_least=at_least).propose(listener) is not None) is answers
    assert why(both(at_least=at_least), listener)[-1] == (
        f"both propose 4 tracks {'>=' if answers else '<'} {at_least}"
    )


def test_it_abstains_when_they_share_nothing():
    listener = Listener.of("3", [(3, 1.0)])
    assert not set(list_of(3)) & set(list_for(3))
    assert both("contextual", "personal").propose(listener) is None


@pytest.mark.parametrize(("first", "second"), [("contextual", "random"), ("random", "contextual")])
def test_it_abstains_when_one_does(first, second):
    assert both(first, second).propose(Listener.of("1")) is None
    assert why(both(first, second), Listener.of("1"))[-1] == "'contextual' abstains"


def test_the_two_must_differ():
    with pytest.raises(ValueError, match="first and second must differ, both are 'popular'"):
        both("popular", "popular")
