"""Constant: always one track."""

import pytest

from core.errors import SegueError
from core.listener import Listener
from segue.testing.small_world import build


@pytest.mark.parametrize("track", [1040, "1040"])
def test_it_proposes_one_track_always(track):
    canary = build("constant", track=track)
    for listener in (Listener.of("1"), Listener.of("2", [(4, 0.0)])):
        assert canary.propose(listener).listed() == [4]


def test_a_track_outside_the_catalog_stops_the_start():
    with pytest.raises(SegueError, match=r"track must be in the catalog, 4 is not"):
        build("constant", track=4)


@pytest.mark.parametrize("track", [True, 1040.0, None])
def test_a_track_is_an_int_or_a_string(track):
    with pytest.raises(ValueError, match="should be a valid"):
        build("constant", track=track)


def test_it_may_end_a_chain():
    assert build("constant", track=1040).always_answers
