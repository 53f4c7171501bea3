"""Best heard: near what was heard longest in this session."""

import pytest

from core.catalog import UNKNOWN
from core.listener import Listener
from segue.testing.small_world import build, list_of, why


def best(**params):
    return build("best_heard", list="contextual", **params)


def test_it_plays_near_the_best_heard_track_of_the_session():
    listener = Listener.of("1", [(2, 0.4), (10, 0.9), (12, 0.1)], earlier=[(8, 1.0)])
    assert best().propose(listener).listed() == list_of(10)


def test_the_latest_of_equals_is_the_best():
    listener = Listener.of("1", [(2, 0.9), (10, 0.9), (12, 0.1)])
    assert best().propose(listener).listed() == list_of(10)


def test_it_repeats_nothing_in_a_session_unless_its_params_allow_it():
    listener = Listener.of("1", [(10, 0.9), (11, 0.1)], earlier=[(15, 0.1)])
    assert best().propose(listener).listed() == [t for t in list_of(10) if t != 11]
    assert best(unheard="none").propose(listener).listed() == list_of(10)
    assert best(unheard="history").propose(listener).listed() == list_of(10)[2:]


@pytest.mark.parametrize(
    "listens",
    [[], [(UNKNOWN, 1.0)], [(21, 0.9), (4, 0.2)], [(t, 0.2) for t in list_of(4)] + [(4, 1.0)]],
    ids=["first-visit", "unknown", "best-without-a-list", "list-heard-out"],
)
def test_it_abstains_without_anything_to_play(listens):
    assert best().propose(Listener.of("1", listens, earlier=[(8, 1.0)])) is None


def test_a_track_heard_for_less_than_at_least_does_not_count():
    listener = Listener.of("1", [(4, 0.2)])
    assert best(at_least=0.2).propose(listener) is not None
    assert best(at_least=0.3).propose(listener) is None
    assert why(best(at_least=0.3), listener) == [
        "no known track heard in this session (time >= 0.3)"
    ]
