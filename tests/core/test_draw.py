"""Draws: the tests try every outcome of the random stream, so frequencies are exact."""

from collections import defaultdict
from fractions import Fraction
from itertools import permutations
from math import lcm

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.candidates import Candidates
from core.draw import as_drawn, draw, draw_as
from core.mixture import Mixture
from core.rng import Stream


class Scripted(Stream):
    """A stream that takes one path through the tree of all outcomes, and notes its forks."""

    def __init__(self, ways, grid):
        super().__init__("scripted")
        self.ways = ways  # at each fork: which way of how many
        self.at = 0
        self.grid = grid

    def _fork(self, ways):
        if self.at == len(self.ways):
            self.ways.append([0, ways])
        way, known = self.ways[self.at]
        assert known == ways
        self.at += 1
        return way

    def below(self, n):
        return self._fork(n)

    def uniform(self):
        return (self._fork(self.grid) + 0.5) / self.grid


def outcomes(candidates, n, grid=1):
    """Compute the exact probability of every sequence of tracks: tuple -> Fraction.

    Args:
        grid: Number of equal parts of [0, 1); a common multiple of all sums of weights.
    """
    found = defaultdict(Fraction)
    stated = {}
    ways = []
    while True:
        drawn, propensity = draw(candidates, Scripted(ways, grid), n)
        share = Fraction(1)
        for _, of in ways:
            share /= of
        found[tuple(drawn)] += share
        assert stated.setdefault(drawn[0], propensity) == propensity
        while ways and ways[-1][0] == ways[-1][1] - 1:
            ways.pop()
        if not ways:
            return dict(found), stated
        ways[-1][0] += 1


def firsts(found):
    probabilities = defaultdict(Fraction)
    for drawn, propensity in found.items():
        probabilities[drawn[0]] += propensity
    return dict(probabilities)


GAPS = Candidates(range(7)).without({0, 2, 6})
ALIKE = {
    "a-list": Candidates([5, 3, 8, 1]),
    "an-array": Candidates(np.array([5, 3, 8, 1], dtype=np.uint16)),
    "a-catalog": Candidates(range(4)),
    "a-catalog-with-gaps": GAPS,
    "one-track": Candidates([4]),
}


@pytest.mark.parametrize("n", [1, 2, 3, 9])
@pytest.mark.parametrize("candidates", ALIKE.values(), ids=ALIKE)
def test_without_weights_every_order_is_equally_likely(candidates, n):
    found, stated = outcomes(candidates, n)
    orders = list(permutations(candidates.listed(), min(n, len(candidates))))
    assert found == dict.fromkeys(orders, Fraction(1, len(orders)))
    assert stated == dict.fromkeys(candidates.listed(), 1 / len(candidates))


@pytest.mark.parametrize("n", [1, 2, 3])
def test_with_weights_each_draw_is_proportional_among_those_left(n):
    weights = {5: 1, 3: 1, 8: 2}
    found, stated = outcomes(Candidates.of(list(weights), list(weights.values())), n, lcm(4, 3, 2))
    expected = {}
    for order in permutations(weights, n):
        left, propensity = 4, Fraction(1)
        for track in order:
            propensity *= Fraction(weights[track], left)
            left -= weights[track]
        expected[order] = propensity
    assert found == expected
    assert stated == pytest.approx({track: weight / 4 for track, weight in weights.items()})


def test_a_mixture_draws_by_the_sum_over_its_parts():
    mixture = Mixture([(Candidates([5, 3]), 2), (Candidates([3, 8, 1]), 1)])
    found, stated = outcomes(mixture, 1, 3)
    assert firsts(found) == {
        5: Fraction(2, 3) / 2,
        3: Fraction(2, 3) / 2 + Fraction(1, 3) / 3,
        8: Fraction(1, 3) / 3,
        1: Fraction(1, 3) / 3,
    }
    assert stated == pytest.approx({track: float(c) for track, c in firsts(found).items()})


forms = st.sampled_from(["list", "weighted", "catalog", "gaps", "mixture"])


@st.composite
def any_candidates(draw_from):
    listed = draw_from(st.lists(st.integers(0, 19), min_size=1, max_size=9, unique=True))
    form = draw_from(forms)
    if form == "list":
        return Candidates(listed)
    if form == "catalog":
        return Candidates(range(20))
    if form == "gaps":
        return Candidates(range(20)).without(listed)
    weighted = Candidates.of(listed, [1.0 / (rank + 1) for rank in range(len(listed))])
    if form == "weighted":
        return weighted
    return Mixture([(weighted, 3), (Candidates(range(20)), 1)])


@given(any_candidates(), st.text(max_size=5), st.integers(1, 25))
def test_the_first_track_and_its_propensity_do_not_depend_on_n(candidates, name, n):
    drawn, propensity = draw(candidates, Stream(name), n)
    assert (drawn[:1], propensity) == draw(candidates, Stream(name))
    assert len(drawn) == len(set(drawn)) == min(n, len(candidates))
    assert set(drawn) <= set(candidates.listed())
    assert propensity == pytest.approx(candidates.chance_of(drawn[0]))
    assert 0 < propensity <= 1


@given(any_candidates(), st.text(max_size=5))
def test_the_same_name_draws_the_same(candidates, name):
    assert draw(candidates, Stream(name), 5) == draw(candidates, Stream(name), 5)


@pytest.mark.parametrize("mark", [0.0, 1 - 2**-53])
def test_a_draw_at_either_end_of_the_unit_interval_is_a_track(mark):
    class End(Stream):
        def uniform(self):
            return mark

    tenths = Candidates.of(list(range(10)), [0.1] * 10)
    assert draw(tenths, End(""), 10)[0] == (list(range(10)) if mark == 0 else [*range(9, -1, -1)])
    # Ten shares of a tenth add up to 1 - 2**-53, which the mark may reach.
    mixture = Mixture([(Candidates([track]), 1) for track in range(10)])
    assert draw(mixture, End(""))[0] == [0 if mark == 0 else 9]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("score", {3: Fraction(1, 4), 5: Fraction(3, 4)}),
        ("uniform", {3: Fraction(1, 2), 5: Fraction(1, 2)}),
        ("first", {3: Fraction(1)}),
        ("rank", {3: Fraction(2, 3), 5: Fraction(1, 3)}),
    ],
)
def test_a_stated_draw_replaces_the_chances_of_the_candidates(mode, expected):
    given = as_drawn(mode, Candidates([3, 5], np.array([1.0, 3.0])))

    chances = zip(given.listed(), given.chances().tolist(), strict=True)
    assert {track: Fraction(each).limit_denominator(9) for track, each in chances} == expected


def test_first_gives_the_first_tracks_in_order():
    candidates = Candidates([7, 2, 9], np.array([1.0, 5.0, 2.0]))

    _, drawn, propensity = draw_as("first", candidates, Stream("any"), 2)

    assert (drawn, propensity) == ([7, 2], 1.0)
