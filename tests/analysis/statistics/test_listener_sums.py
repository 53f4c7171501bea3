"""Sums of listeners add up in any order, and give the moments of the values themselves."""

import random
from fractions import Fraction

import numpy as np
import pytest

from analysis.statistics.cuped import PastSums, adjust, adjust_sums
from analysis.statistics.listener_sums import ListenerSums
from analysis.statistics.sample_moments import SampleMoments, Values


def sums_of(x: list[int], y: list[int]) -> ListenerSums:
    pairs = list(zip(x, y, strict=True))
    return ListenerSums(
        len(pairs),
        sum(x),
        sum(a * a for a in x),
        sum(y),
        sum(a * b for a, b in pairs),
        sum(b * b for b in y),
    )


def close(found: SampleMoments, expected: SampleMoments) -> bool:
    return (found.n, found.mean, found.variance) == pytest.approx(
        (expected.n, expected.mean, expected.variance), rel=1e-12
    )


@pytest.mark.parametrize("seed", range(10))
def test_sums_add_up_in_any_order_to_the_moments_of_all_values(seed: int) -> None:
    chance = random.Random(seed)
    # A mean far above the spread: in floats the variance would lose nine of its digits.
    x = [10**15 + chance.randrange(10**9) for _ in range(300)]
    y = [chance.randrange(1, 10**10) for _ in range(300)]
    parts = [sums_of(x[at : at + 30], y[at : at + 30]) for at in range(0, 300, 30)]
    whole = sums_of(x, y)
    chance.shuffle(parts)
    while len(parts) > 1:
        one, two = parts.pop(chance.randrange(len(parts))), parts.pop()
        assert one + two == two + one
        parts.append(one + two)
    assert parts[0] == whole

    shifted = SampleMoments.of(np.asarray([(each - 10**15) / 1e9 for each in x]))
    assert whole.mean.variance == pytest.approx(shifted.variance, rel=1e-12)
    values = np.asarray(x) / 1e9, np.asarray(y) / 1e9
    assert whole.mean.mean == pytest.approx(values[0].mean(), rel=1e-12)
    assert close(whole.ratio, SampleMoments.of_ratio(*values))


def test_nobody_and_a_single_listener_have_no_variance() -> None:
    assert np.isnan(ListenerSums().mean.mean)
    assert np.isnan(ListenerSums().ratio.mean)
    one = sums_of([2 * 10**9], [10**9])
    assert (one.mean.mean, one.ratio.mean) == (2.0, 2.0)
    assert np.isnan(one.mean.variance)
    assert np.isnan(one.ratio.variance)


def test_sums_of_different_digits_are_refused() -> None:
    with pytest.raises(ValueError, match="digits"):
        ListenerSums() + ListenerSums(x_digits=3)


def past_sums(y: Values, x: Values) -> PastSums:
    def exact(values: Values) -> Fraction:
        return sum(map(Fraction, values.tolist()), Fraction())

    known = ~np.isnan(x)
    exact_x, exact_y = [Fraction(each) for each in x[known]], [Fraction(each) for each in y[known]]
    return PastSums(
        len(y), exact(y), sum((Fraction(each) ** 2 for each in y), Fraction()),
        int(known.sum()), exact(x[known]), sum((a * a for a in exact_x), Fraction()),
        sum((a * b for a, b in zip(exact_x, exact_y, strict=True)), Fraction()), exact(y[~known]),
    )  # fmt: skip


@pytest.mark.parametrize("without", [0.0, 0.4])
@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_adjusting_by_sums_equals_adjusting_each_listener(without: float, spread: float) -> None:
    chance = np.random.default_rng(3)
    arms, before = [], []
    for size in (400, 300, 2):
        past = 3 + spread * chance.normal(size=size)
        arms.append(2 + 0.7 * past + chance.normal(size=size))
        before.append(np.where(chance.random(size) < without, np.nan, past))
    before[2][0] = 3.0
    expected = [SampleMoments.of(values) for values in adjust(arms, before)]

    found = adjust_sums([past_sums(*arm) for arm in zip(arms, before, strict=True)])

    for one, two in zip(found, expected, strict=True):
        assert (one.n, one.mean, one.variance) == pytest.approx(
            (two.n, two.mean, two.variance), rel=1e-9
        )
