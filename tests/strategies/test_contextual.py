"""Contextual: the list of the previous track."""

import pytest

from core.catalog import UNKNOWN
from core.listener import Listener
from segue.testing.small_world import build, list_of


def test_it_proposes_the_list_of_the_previous_track():
    proposed = build("contextual", list="contextual").propose(Listener.of("1", [(2, 1), (4, 0.2)]))
    assert proposed.listed() == list_of(4)
    assert proposed.weights is None


@pytest.mark.parametrize(
    "listens", [[], [(UNKNOWN, 0.9)], [(21, 0.9)]], ids=["first-visit", "unknown", "without-a-list"]
)
def test_it_abstains_without_a_list_to_play(listens):
    assert build("contextual", list="contextual").propose(Listener.of("1", listens)) is None


def test_it_knows_only_the_present_session():
    listener = Listener.of("1", earlier=[(4, 1.0)])
    assert build("contextual", list="contextual").propose(listener) is None


def test_an_ordered_walk_takes_the_first_unheard():
    walk = build("contextual", list="contextual", draw="first", unheard="session")
    assert walk.propose(Listener.of("1", [(5, 1.0), (4, 1.0)])).listed() == [list_of(4)[1]]


def test_drawing_by_rank_falls_as_one_over_rank():
    proposed = build("contextual", list="contextual", draw="rank").propose(
        Listener.of("1", [(4, 1)])
    )
    assert proposed.weights.tolist() == [1, 1 / 2, 1 / 3, 1 / 4, 1 / 5, 1 / 6]


def test_it_abstains_when_the_whole_list_was_heard():
    heard = [(track, 0.5) for track in list_of(4)]
    shy = build("contextual", list="contextual", unheard="history")
    assert shy.propose(Listener.of("1", [(4, 1.0)], earlier=heard)) is None
    open_ = build("contextual", list="contextual", unheard="session")
    assert open_.propose(Listener.of("1", [(4, 1.0)], earlier=heard)).listed() == list_of(4)
