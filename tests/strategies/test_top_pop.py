"""TopPop: the first of the popularity list."""

import pytest

from core.errors import SegueError
from core.listener import Listener
from segue.testing.small_world import TOP, build, small_catalog
from strategies.base import Artifacts


def test_it_proposes_the_first_of_the_popularity_list():
    assert build("top_pop", top=4).propose(Listener.of("1")).listed() == list(TOP[:4])


def test_a_top_beyond_the_list_means_the_whole_list():
    assert build("top_pop", top=100).propose(Listener.of("1")).listed() == list(TOP)


def test_it_makes_its_candidates_once():
    popular = build("top_pop")
    assert popular.propose(Listener.of("1")) is popular.propose(Listener.of("2", [(3, 0.5)]))


def test_an_empty_popularity_list_stops_the_start():
    with pytest.raises(SegueError, match=r"needs a popularity list: set catalog\.top"):
        build("top_pop", Artifacts(small_catalog()))


def test_it_may_leave_out_what_was_heard():
    listener = Listener.of("1", [(TOP[0], 1.0)], earlier=[(TOP[1], 1.0)])
    assert build("top_pop", top=4, unheard="session").propose(listener).listed() == list(TOP[1:4])
    assert build("top_pop", top=4, unheard="history").propose(listener).listed() == list(TOP[2:4])
