"""Pin: an editor's tracks at one place of the session."""

import pytest

from core.errors import SegueError
from core.listener import Listener
from segue.testing.small_world import TOP, build, list_of, small_catalog

IDS = small_catalog().ids


def pin(of="popular", tracks=(20, 21), **params):
    return build("pin", of=of, tracks=[IDS[track] for track in tracks], **params)


def test_the_tracks_come_at_their_place_and_nowhere_else():
    made = pin(at=2)

    assert made.propose(Listener.of("1")).listed() == list(TOP[:8])
    assert made.propose(Listener.of("1", [(0, 1.0)])).listed() == [20, 21]
    assert made.propose(Listener.of("1", [(0, 1.0), (20, 1.0)])).listed() == list(TOP[:8])


def test_earlier_sessions_do_not_count_as_places():
    listener = Listener.of("1", [], earlier=[(0, 1.0), (1, 1.0)])
    assert pin().propose(listener).listed() == [20, 21]


def test_a_pinned_track_that_the_session_heard_is_left_out():
    assert pin(at=2).propose(Listener.of("1", [(20, 1.0)])).listed() == [21]
    heard = Listener.of("1", [(20, 1.0)])
    assert pin(of="contextual", tracks=(20,), at=2).propose(heard) is None
    assert pin(tracks=(20,), at=2).propose(heard).source == "popular"


def test_the_other_places_are_those_of_the_strategy():
    found = pin(of="contextual", at=1).propose(Listener.of("1", [(0, 1.0)]))
    assert (found.listed(), found.source) == (list_of(0), "contextual")


def test_a_track_that_the_catalog_lacks_stops_the_start():
    with pytest.raises(SegueError, match="'none' is not in the catalog"):
        build("pin", of="popular", tracks=["none"])
