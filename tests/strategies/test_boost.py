"""Boost: tracks move by conditions on their fields."""

import pytest

from core.listener import Listener
from segue.testing.small_world import TOP, build, chances, list_of

AFTER_0 = Listener.of("1", [(0, 1.0)])


def test_scores_are_multiplied_where_the_conditions_hold():
    made = build("boost", of="contextual", where={"year": {"min": 2001}}, by=3, k=10, draw="score")
    wanted = {
        track: (3.0 if track >= 11 else 1.0) / (10 + rank)
        for rank, track in enumerate(list_of(0), 1)
    }

    found = made.propose(AFTER_0)

    total = sum(wanted.values())
    assert chances(found) == pytest.approx({track: each / total for track, each in wanted.items()})
    assert found.listed() == sorted(wanted, key=wanted.__getitem__, reverse=True)


def test_a_factor_below_1_moves_down():
    up = build("boost", of="popular", where={"genre": "rock"}, by=100)
    down = build("boost", of="popular", where={"genre": "rock"}, by=0.01)

    assert up.propose(AFTER_0).listed() == [next(t for t in TOP if t % 2)]
    assert down.propose(AFTER_0).listed() == [next(t for t in TOP if not t % 2)]


def test_it_abstains_with_the_strategy():
    assert build("boost", of="contextual", where={"genre": "pop"}).propose(Listener.of("1")) is None
