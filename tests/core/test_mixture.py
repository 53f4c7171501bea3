"""Mixtures: every way to read a probability gives the sum of share times probability."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.candidates import Candidates
from core.draw import draw
from core.mixture import Mixture
from core.rng import Stream

CATALOG = 12

tracks = st.lists(st.integers(0, CATALOG - 1), min_size=1, max_size=6, unique=True)


@st.composite
def parts(draw_from):
    kind = draw_from(st.sampled_from(["list", "array", "weighted", "catalog", "gaps"]))
    listed = draw_from(tracks)
    if kind == "catalog":
        return Candidates(range(CATALOG))
    if kind == "gaps":
        return Candidates(range(CATALOG)).without(listed)
    if kind == "weighted":
        weights = draw_from(st.lists(st.integers(1, 4), min_size=len(listed), max_size=len(listed)))
        return Candidates.of(listed, weights)
    return Candidates(np.array(listed, dtype=np.int32) if kind == "array" else listed)


mixed = st.lists(st.tuples(parts(), st.integers(1, 5)), min_size=1, max_size=4)


def expected(members):
    """Compute the probability of each track by hand."""
    total = sum(share for _, share in members)
    found: dict[int, float] = {}
    for part, share in members:
        for track, probability in zip(part.listed(), part.chances(), strict=True):
            found[track] = found.get(track, 0.0) + share / total * float(probability)
    return found


@given(mixed)
def test_a_probability_is_the_sum_of_share_times_probability(members):
    mixture, by_hand = Mixture(members), expected(members)
    assert len(mixture) == len(by_hand)
    assert dict(zip(mixture.listed(), mixture.chances().tolist(), strict=True)) == pytest.approx(
        by_hand
    )
    for track in range(CATALOG):
        assert mixture.chance_of(track) == pytest.approx(by_hand.get(track, 0.0))
        assert (track in mixture) is (track in by_hand)


@given(mixed, st.sets(st.integers(0, CATALOG - 1)))
def test_removing_tracks_keeps_the_ratios_of_the_remaining_probabilities(members, out):
    left = Mixture(members).without(out)
    kept = {
        track: probability for track, probability in expected(members).items() if track not in out
    }
    if left is None:
        assert not kept
    else:
        total = sum(kept.values())
        for track in range(CATALOG):
            assert left.chance_of(track) == pytest.approx(kept.get(track, 0.0) / total)


@given(mixed, mixed)
def test_an_intersection_keeps_the_ratios_of_probabilities(members, others):
    other = Mixture(others) if len(others) > 1 else others[0][0]
    for found in (Mixture(members), members[0][0]):
        shared = found.intersection(other)
        by_hand = expected(members if isinstance(found, Mixture) else members[:1])
        kept = {
            track: probability for track, probability in by_hand.items() if track in other.listed()
        }
        if shared is None:
            assert not kept
        else:
            total = sum(kept.values())
            assert len(shared) == len(kept)
            for track in range(CATALOG):
                assert shared.chance_of(track) == pytest.approx(kept.get(track, 0.0) / total)


@given(mixed)
def test_the_complement_is_the_rest_of_the_catalog(members):
    mixture = Mixture(members)
    assert mixture.as_set() == set(mixture.listed())
    lacking = mixture.complement()
    if any(isinstance(part.tracks, range) for part, _ in members):
        assert set(lacking) == set(range(CATALOG)) - mixture.as_set()
    else:
        assert lacking is None


@given(mixed)
def test_the_first_tracks_are_the_first_of_the_whole_order(members):
    for n in range(CATALOG + 2):
        assert Mixture(members).first(n) == Mixture(members).listed()[:n]


@given(mixed)
def test_the_most_likely_stand_first(members):
    assert (np.diff(Mixture(members).weights) <= 1e-12).all()


def test_equally_likely_tracks_stand_in_their_order_of_appearance():
    mixture = Mixture([(Candidates([7, 3]), 1), (Candidates([5, 1]), 1)])
    assert mixture.listed() == [7, 3, 5, 1]


@given(mixed, st.integers(1, 15))
def test_draws_are_different_tracks_of_the_mixture(members, n):
    mixture = Mixture(members)
    drawn, probability = draw(mixture, Stream("a decision"), n)
    assert len(drawn) == len(set(drawn)) == min(n, len(mixture))
    assert all(track in mixture for track in drawn)
    assert probability == mixture.chance_of(drawn[0])
    assert drawn[0] == draw(mixture, Stream("a decision"))[0][0]


def test_draws_are_as_frequent_as_their_probability():
    mixture = Mixture(
        [
            (Candidates([3, 5]), 6),
            (Candidates.of([5, 9], [1, 3]), 3),
            (Candidates(range(CATALOG)), 1),
        ]
    )
    draws = 20_000
    counts = np.zeros(CATALOG)
    for number in range(draws):
        counts[draw(mixture, Stream(f"decision {number}"))[0][0]] += 1
    expected_counts = np.array([mixture.chance_of(track) for track in range(CATALOG)]) * draws
    chi_square = ((counts - expected_counts) ** 2 / expected_counts).sum()
    assert chi_square < 31.26  # the 0.999 quantile at 11 degrees of freedom


def test_a_mixture_with_the_whole_catalog_materialises_nothing():
    mixture = Mixture([(Candidates([3, 5]), 9), (Candidates(range(50_000)), 1)])
    left = mixture.without({4})
    draw(left, Stream("a decision"), 3)
    assert len(mixture) == 50_000
    assert left.first(4) == [3, 5, 0, 1]
    near = Candidates([7, 4, 5])
    assert near.intersection(left).listed() == [7, 5]
    assert set(left.intersection(near).listed()) == {5, 7}
    assert len(Candidates(range(50_000)).intersection(left)) == 49_999
    for each in (mixture, left):
        with pytest.raises(AttributeError):
            Candidates.tracks.__get__(each)


def test_a_mixture_takes_and_loses_a_source_like_any_candidates():
    mixture = Mixture([(Candidates([3]), 1), (Candidates([5]), 1)])
    named = mixture.with_source("both")
    assert (named.source, named.with_source("other").source, named.without_source().source) == (
        "both",
        "both",
        None,
    )
    assert named.listed() == [3, 5]


@given(mixed)
def test_the_expected_value_weights_tracks_by_their_probability(members):
    values = np.linspace(-1, 2, CATALOG)
    mean = sum(probability * values[track] for track, probability in expected(members).items())
    assert Mixture(members).expected(values) == pytest.approx(mean)
