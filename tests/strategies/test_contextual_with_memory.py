"""Contextual with memory: near the last liked track, nothing twice."""

import pytest

from core.catalog import UNKNOWN
from core.listener import Listener
from segue.testing.small_world import TOP, build, list_of, why


def memory(**params):
    return build("contextual_with_memory", list="contextual", **params)


def test_it_stays_with_the_last_liked_track():
    listener = Listener.of("1", [(2, 1.0), (4, 0.95), (12, 0.3), (14, 0.0)])
    assert memory().propose(listener).listed() == [t for t in list_of(4) if t not in (2, 4, 12, 14)]


@pytest.mark.parametrize(("time", "answers"), [(0.9, False), (0.900000001, True)])
def test_a_track_is_liked_only_above_the_threshold(time, answers):
    assert (memory().propose(Listener.of("1", [(4, time)])) is not None) is answers


def test_it_never_proposes_what_was_heard_in_any_session():
    heard = [(track, 0.1) for track in list_of(4)[:5]]
    listener = Listener.of("1", [(4, 1.0)], earlier=heard)
    assert memory().propose(listener).listed() == list_of(4)[5:]


def test_its_memory_goes_back_beyond_the_session_by_default():
    listener = Listener.of("1", [(2, 0.1)], earlier=[(4, 1.0)])
    assert memory().propose(listener).listed() == list_of(4)
    assert memory(memory="session").propose(listener) is None


@pytest.mark.parametrize(
    "listens",
    [[], [(4, 0.5)], [(21, 1.0)], [(UNKNOWN, 1.0)], [(t, 0.1) for t in list_of(4)] + [(4, 1.0)]],
    ids=["first-visit", "nothing-liked", "no-list", "unknown", "list-heard-out"],
)
def test_it_proposes_unheard_popular_tracks_when_its_list_has_none(listens):
    listener = Listener.of("1", listens, earlier=[(TOP[0], 0.2)])
    assert memory().propose(listener) is None
    proposed = memory(popular="popular").propose(listener)
    heard = {TOP[0], *(track for track, _ in listens)}
    assert proposed.listed() == [track for track in TOP[:8] if track not in heard]
    assert proposed.source == "popular"


def test_it_abstains_when_the_popular_tracks_were_heard_too():
    listener = Listener.of("1", earlier=[(track, 0.2) for track in TOP])
    assert memory(popular="popular").propose(listener) is None


def test_its_params_cannot_make_it_repeat():
    with pytest.raises(ValueError, match="Input should be 'history'"):
        memory(unheard="none")


def test_it_says_why():
    liked = Listener.of("1", [(4, 0.95)])
    assert why(memory(), liked) == [
        "the list of the last liked track (time 0.95 > 0.9), unheard tracks only"
    ]
    assert why(memory(popular="popular"), Listener.of("1", [(4, 0.2)])) == [
        "no track was liked (time > 0.9) yet",
        "so 'popular', without heard tracks",
        "the 8 most popular tracks",
    ]
