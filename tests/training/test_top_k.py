"""Exact top-k, against sorting everything."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.top_k import NONE, dot_products, top_k, top_k_of_entries


@given(
    st.integers(1, 400), st.integers(1, 6), st.integers(1, 12), st.integers(2, 40), st.integers(0)
)
def test_top_k_agrees_with_sorting_everything(
    tracks: int, keys: int, k: int, values: int, seed: int
) -> None:
    """Coarse scores, so that ties at the border of the list really occur."""
    table = np.random.default_rng(seed).integers(0, values, (keys, tracks)).astype(np.float32)
    got = top_k(lambda rows: table[rows].copy(), np.arange(keys), k)
    order = np.lexsort((np.broadcast_to(np.arange(tracks), table.shape), -table), axis=1)[:, :k]
    expected = np.full((keys, k), NONE)
    expected[:, : order.shape[1]] = order
    assert got.tolist() == expected.tolist()


def test_a_track_is_never_in_its_own_list() -> None:
    vectors = np.random.default_rng(1).normal(size=(700, 4)).astype(np.float32)
    keys = np.arange(0, 700, 3)
    ranked = top_k(dot_products(vectors, vectors), keys, 10, without=keys)
    assert not (ranked == keys[:, None]).any()
    assert (ranked != NONE).all()


def test_a_score_of_minus_infinity_is_never_ranked_even_in_a_short_list() -> None:
    table = np.full((1, 5000), -np.inf, dtype=np.float32)
    table[0, [7, 4000, 123]] = [1.0, 3.0, 1.0]
    assert top_k(lambda rows: table[rows], np.array([0]), 5).tolist() == [[4000, 7, 123, -1, -1]]


@pytest.mark.parametrize("k", [1, 2, 3], ids=["one", "two", "more-than-there-are"])
def test_scattered_entries_are_ranked_by_row_then_score_then_track(k: int) -> None:
    row, track = np.array([2, 0, 2, 0]), np.array([9, 4, 5, 3])
    ranked = top_k_of_entries(row, track, np.array([1.0, 2.0, 1.0, 2.0]), 3, k)
    assert ranked.tolist() == [
        ([3, 4, -1][:k]),
        ([-1, -1, -1][:k]),
        ([5, 9, -1][:k]),
    ]
