"""Co-occurrence: exactly the result of a loop over all pairs, for any size of a block."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.catalog import Catalog
from segue.testing.small_world import lists_of
from training import cooccurrence as module
from training.cooccurrence import rank_by_cooccurrence

TRACKS = 8
CATALOG = Catalog(range(TRACKS), ["A"] * TRACKS, [""] * TRACKS)

users = st.lists(
    st.lists(st.integers(0, TRACKS - 1), min_size=1, unique=True), min_size=1, max_size=12
)


def similar(rows, **options):
    lists = lists_of("user", dict(enumerate(rows)), CATALOG)
    ranked = rank_by_cooccurrence(lists, TRACKS, options.pop("top", TRACKS), **options)
    return {track: [other for other in row if other >= 0] for track, row in enumerate(ranked)}


def by_hand(rows, at_least=1):
    counts = Counter(track for row in rows for track in row)
    expected = {}
    for track in range(TRACKS):
        shared = Counter(o for row in rows if track in row for o in row if o != track)
        kept = [other for other in shared if shared[other] >= at_least]
        # The square of the cosine, times the track's own counts: a ratio of whole numbers.
        kept.sort(key=lambda o: (-(shared[o] ** 2) / counts[o], -shared[o], o))
        expected[track] = kept
    return expected


@given(users, st.integers(1, 3))
def test_the_result_is_that_of_a_loop_over_all_pairs(rows, at_least):
    assert similar(rows, at_least=at_least) == by_hand(rows, at_least)


@given(users, st.integers(1, 40))
def test_the_size_of_a_block_changes_nothing(rows, pairs):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_PAIRS_AT_ONCE", pairs)
        assert similar(rows) == by_hand(rows)


@given(users, st.permutations(range(12)))
def test_the_order_of_users_and_of_their_tracks_does_not_matter(rows, order):
    shuffled = [rows[user][::-1] for user in order if user < len(rows)]
    assert similar(shuffled) == similar(rows)


def test_a_track_on_few_lists_is_more_similar_than_one_on_many():
    # 0 shares two lists with 1 and two with 2, but 2 stands on two further lists.
    rows = [[0, 1, 2], [0, 1, 2], [2, 3], [2, 4]]
    assert similar(rows)[0] == [1, 2]


def test_a_list_keeps_only_its_best():
    rows = [[0, 1, 2, 3], [0, 1, 2], [0, 1]]
    kept = similar(rows, top=2)
    assert [kept[track] for track in range(5)] == [[1, 2], [0, 2], [0, 1], [2, 0], []]


def test_progress_shows_every_track(monkeypatch):
    class Recorded:
        def __init__(self):
            self.steps = []

        def start(self, what, total=None):
            self.steps.append((what, total))

        def advance(self, steps=1):
            self.steps.append(steps)

    monkeypatch.setattr(module, "_PAIRS_AT_ONCE", 4)
    recorded = Recorded()
    similar([[0, 1], [2, 3], [4, 5]], progress=recorded)
    assert recorded.steps[0] == ("tracks that share lists", TRACKS)
    assert sum(recorded.steps[1:]) == TRACKS
    assert len(recorded.steps) > 2


def test_long_and_short_lists_in_a_larger_catalog():
    random = np.random.default_rng(5)
    rows = [random.permutation(60)[: random.integers(1, 30)].tolist() for _ in range(80)]
    catalog = Catalog(range(60), ["A"] * 60, [""] * 60)
    ranked = rank_by_cooccurrence(lists_of("user", dict(enumerate(rows)), catalog), 60, 10)
    for track in range(60):
        shared = Counter(o for row in rows if track in row for o in row if o != track)
        counts = Counter(o for row in rows for o in row)
        best = sorted(shared, key=lambda o: (-(shared[o] ** 2) / counts[o], -shared[o], o))[:10]
        assert ranked[track].tolist() == best
