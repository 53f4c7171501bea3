"""Candidates: every method agrees with a plain list of tracks and weights."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.candidates import Candidates

CATALOG = 12

tracks = st.lists(st.integers(0, CATALOG - 1), min_size=1, max_size=8, unique=True)
some_tracks = st.sets(st.integers(0, CATALOG - 1))


@st.composite
def candidates(draw_from):
    """Candidates of every kind: list, tuple, array of any integer, weighted, catalog, with gaps."""
    listed = draw_from(tracks)
    kind = draw_from(st.sampled_from(["list", "int32", "uint16", "weighted", "catalog", "gaps"]))
    if kind == "catalog":
        return Candidates(range(CATALOG))
    if kind == "gaps":
        return Candidates(range(CATALOG)).without(listed) or Candidates([0])
    if kind == "weighted":
        weights = draw_from(st.lists(st.integers(1, 4), min_size=len(listed), max_size=len(listed)))
        return Candidates.of(listed, weights)
    return Candidates(listed if kind == "list" else np.array(listed, dtype=kind))


def plain(found):
    """List (track, weight) in order; no candidates give an empty list."""
    if found is None:
        return []
    weights = [1.0] * len(found) if found.weights is None else found.weights.tolist()
    return list(zip(found.listed(), weights, strict=True))


@given(candidates())
def test_positions_heads_probabilities_and_membership_agree_with_the_list(found):
    listed = found.listed()
    assert len(found) == len(listed) > 0
    assert [found.at(position) for position in range(len(found))] == listed
    for n in range(len(found) + 2):
        assert found.first(n) == listed[:n]
    total = sum(weight for _, weight in plain(found))
    for track, weight in plain(found):
        assert found.chance_of(track) == pytest.approx(weight / total)
    assert found.chances().tolist() == pytest.approx([found.chance_of(t) for t in listed])
    for track in set(range(-1, CATALOG + 1)).difference(listed):
        assert track not in found
        assert found.chance_of(track) == 0.0
    assert all(track in found for track in listed)
    assert all(type(track) is int for track in [*listed, *found.first(2), found.at(0)])


@given(candidates(), some_tracks, st.sampled_from([set, frozenset, list, tuple]))
def test_without_keeps_the_remaining_tracks_in_order_with_their_weights(found, out, kind):
    left = found.without(kind(out))
    assert plain(left) == [(track, weight) for track, weight in plain(found) if track not in out]
    assert left is None or len(left) > 0


@given(candidates(), some_tracks, some_tracks)
def test_two_removals_are_one_removal_of_both(found, one, other):
    left = found.without(one)
    twice = None if left is None else left.without(other)
    assert plain(twice) == plain(found.without(one | other))


@given(candidates())
def test_removing_an_absent_track_changes_nothing(found):
    assert found.without(()) is found
    strangers = set(range(-3, CATALOG + 9)).difference(found.listed())
    assert plain(found.without(strangers)) == plain(found)


@given(candidates(), candidates())
def test_an_intersection_has_the_order_and_the_weights_of_the_first(found, other):
    shared = found.intersection(other)
    expected = [(track, weight) for track, weight in plain(found) if track in other.listed()]
    if isinstance(found.tracks, range):
        # The catalog has no order of its own, so the second one's order is kept.
        assert sorted(plain(shared)) == sorted(expected)
    else:
        assert plain(shared) == expected


@given(candidates(), some_tracks)
def test_the_source_stays_when_tracks_are_removed(found, out):
    assert found.source is None
    named = found.with_source("popular")
    assert (named.source, plain(named)) == ("popular", plain(found))
    assert named.with_source("other") is named
    assert plain(named.without_source()) == plain(found)
    assert named.without_source().source is None
    assert found.without_source() is found
    left = named.without(out)
    assert left is None or left.source == "popular"


def test_a_running_sum_is_made_once_and_kept_with_a_new_source():
    found = Candidates.of([3, 5, 7], [1, 2, 4])
    assert found.cumulative().tolist() == [1, 3, 7]
    assert found.with_source("ranked").cumulative() is found.cumulative()


def test_candidates_of_no_track_are_none():
    assert Candidates.of([]) is None
    assert Candidates.of(np.array([], dtype=np.int32)) is None
    assert Candidates.of([], []) is None
    assert Candidates(range(3)).without({0, 1, 2}) is None


def test_excluding_from_a_catalog_copies_nothing():
    """A billion tracks would not fit into memory, so the code cannot list them."""
    left = Candidates(range(10**9)).without({0, 5, 10**9 - 1, -1})
    assert len(left) == 10**9 - 3
    assert [left.at(position) for position in (0, 3, 4, len(left) - 1)] == [1, 4, 6, 10**9 - 2]
    assert left.first(5) == [1, 2, 3, 4, 6]
    assert 5 not in left
    assert 6 in left
    assert left.chance_of(6) == 1 / (10**9 - 3)
    assert left.intersection(Candidates([5, 6, 7])).listed() == [6, 7]
    assert Candidates([5, 6, 7]).intersection(left).listed() == [6, 7]


@pytest.mark.parametrize(
    "candidates",
    [
        Candidates(range(8)),
        Candidates(range(8)).without({2, 5}),
        Candidates([3, 1, 6]),
        Candidates(np.array([3, 1, 6], dtype=np.int32)),
        Candidates(np.array([3, 1, 6], dtype=np.int32), np.array([1.0, 2.0, 5.0])),
        Candidates((3, 1), np.array([0.1, 0.2])),
        Candidates((3, 1)),
    ],
    ids=["catalog", "gaps", "list", "array", "weighted", "weighted-tuple", "tuple"],
)
def test_the_expected_value_weights_tracks_by_their_probability(candidates):
    values = np.array([5.0, 1.0, -2.0, 0.5, 7.0, 3.0, 9.0, 4.0])
    pairs = zip(candidates.listed(), candidates.chances().tolist(), strict=True)
    assert candidates.expected(values) == pytest.approx(sum(c * values[t] for t, c in pairs))
