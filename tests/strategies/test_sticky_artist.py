"""Sticky artist: tracks of the previous track's artist."""

import pytest

from core.catalog import UNKNOWN
from core.listener import Listener
from segue.testing.small_world import build, why


def test_it_proposes_all_tracks_of_the_previous_artist():
    proposed = build("sticky_artist").propose(Listener.of("1", [(0, 1.0), (7, 0.2)]))
    assert proposed.listed() == [6, 7, 8, 9, 10]
    assert proposed.weights is None


@pytest.mark.parametrize(
    "listens", [[], [(3, 1.0), (UNKNOWN, 0.9)]], ids=["first-visit", "unknown"]
)
def test_it_abstains_without_a_known_previous_track(listens):
    assert build("sticky_artist").propose(Listener.of("1", listens)) is None


def test_it_may_leave_out_what_was_heard():
    listener = Listener.of("1", [(7, 1.0)], earlier=[(6, 1.0), (10, 0.1)])
    assert build("sticky_artist", unheard="session").propose(listener).listed() == [6, 8, 9, 10]
    assert build("sticky_artist", unheard="history").propose(listener).listed() == [8, 9]


def test_it_abstains_after_the_artists_only_track():
    listener = Listener.of("1", [(22, 1.0)])
    assert build("sticky_artist").propose(listener).listed() == [22]
    shy = build("sticky_artist", unheard="session")
    assert shy.propose(listener) is None
    assert why(shy, listener)[-1] == "everything that might play was heard"
