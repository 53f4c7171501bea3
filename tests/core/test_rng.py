"""Random streams: the numbers never change, drawn one at a time or many at once."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.rng import Stream, extend_keys, integers, keys, mix, to_integers, to_uniforms, uniforms

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "streams.json").read_text("utf-8"))
MASK = 2**64 - 1
GAMMA = 0x9E3779B97F4A7C15

# The generator's published outputs, as its authors and Rosetta Code print them.
PUBLISHED = {
    0: [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC],
    1234567: [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ],
}


@pytest.mark.parametrize("seed", PUBLISHED)
def test_the_words_are_those_of_splitmix64(seed):
    found = [mix((seed + step * GAMMA) & MASK) for step in range(1, len(PUBLISHED[seed]) + 1)]
    assert found == PUBLISHED[seed]


@pytest.mark.parametrize("case", GOLDEN["streams"], ids=lambda case: repr(case["name"]))
def test_the_numbers_of_a_name_never_change(case):
    words, uniform, below = Stream(case["name"]), Stream(case["name"]), Stream(case["name"])
    assert [words.word() for _ in case["words"]] == case["words"]
    assert [uniform.uniform() for _ in case["uniforms"]] == case["uniforms"]
    assert [below.below(50_000) for _ in case["below_50000"]] == case["below_50000"]


@pytest.mark.parametrize("case", GOLDEN["keys"], ids=lambda case: str(case["coordinates"]))
def test_the_keys_of_coordinates_never_change(case):
    assert int(keys(case["seed"], *case["coordinates"])) == case["key"]


def by_hand(seed, *coordinates):
    """Compute `keys` in Python's integers."""
    key = mix((seed + GAMMA) & MASK)
    for coordinate in coordinates:
        key = mix(((key ^ mix((coordinate + GAMMA) & MASK)) + GAMMA) & MASK)
    return key


seeds = st.integers(-(2**70), 2**70)
coordinates = st.integers(-(2**63), 2**63 - 1)


@given(seeds, st.lists(coordinates, max_size=4))
def test_a_key_agrees_with_pythons_integers(seed, point):
    assert int(keys(seed, *point)) == by_hand(seed, *point)


@given(seeds, st.lists(coordinates, min_size=1, max_size=5), st.lists(coordinates, max_size=5))
def test_many_at_once_are_the_same_as_one_at_a_time(seed, rows, columns):
    down = np.array(rows, dtype=np.int64)[:, None]
    across = np.array([*columns, 7], dtype=np.int64)[None, :]
    at_once = keys(seed, down, across, 3)
    one_by_one = [[by_hand(seed, row, column, 3) for column in [*columns, 7]] for row in rows]
    assert at_once.tolist() == one_by_one
    assert extend_keys(keys(seed, down), across, 3).tolist() == one_by_one
    assert uniforms(seed, down, across, 3).tolist() == [
        [(word >> 11) * 2.0**-53 for word in row] for row in one_by_one
    ]
    assert integers(10, seed, down, across, 3).tolist() == [
        [((word >> 32) * 10) >> 32 for word in row] for row in one_by_one
    ]


def test_a_draw_depends_on_its_coordinates_alone():
    """The order and number of draws change nothing; `multi` mode once had this fault."""
    everybody = uniforms(7, np.arange(100), 3)
    assert uniforms(7, np.arange(99, -1, -1), 3).tolist() == everybody[::-1].tolist()
    assert uniforms(7, 42, 3) == everybody[42]
    assert len(set(everybody.tolist())) == 100


@pytest.mark.parametrize(
    ("one", "other"),
    [((1, 2), (2, 1)), ((0,), (0, 0)), ((5,), (6,)), ((1, 0), (1,)), ((), (0,))],
    ids=["order", "zeros", "neighbours", "trailing-zero", "nothing"],
)
def test_different_coordinates_are_different_draws(one, other):
    assert keys(3, *one) != keys(3, *other)
    assert keys(3, *one) != keys(4, *one)


def test_integers_and_uniforms_stay_in_their_range():
    ends = np.array([0, MASK, 1 << 32, (1 << 32) - 1], dtype=np.uint64)
    assert to_integers(7, ends).tolist() == [0, 6, 0, 0]
    assert to_integers(np.array([1, 2, 3, 4]), ends).tolist() == [0, 1, 0, 0]
    assert to_uniforms(ends).tolist() == [0.0, 1 - 2**-53, 2**-32, (2**21 - 1) / 2**53]


def test_the_numbers_are_even():
    """Chi-square over 64 cells at 63 degrees of freedom; 103.4 is the 0.999 quantile."""
    stream = Stream("even")
    for drawn in (
        [stream.below(64) for _ in range(20_000)],
        [int(stream.uniform() * 64) for _ in range(20_000)],
        integers(64, 5, np.arange(20_000)).tolist(),
        (uniforms(5, np.arange(20_000), 1) * 64).astype(int).tolist(),
        [Stream(f"decision {number}").below(64) for number in range(20_000)],
    ):
        counts = np.bincount(drawn, minlength=64)
        assert len(counts) == 64
        assert ((counts - 312.5) ** 2 / 312.5).sum() < 103.4
