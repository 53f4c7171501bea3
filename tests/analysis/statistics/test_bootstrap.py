"""The bootstrap-t interval of arms so small that their resamples are often equal."""

import numpy as np
import pytest

from analysis.statistics.bootstrap import UNBOUNDED, bootstrap_t_lift
from analysis.statistics.contrast import Interval


def lift_of(control: list[float], treatment: list[float]) -> Interval | None:
    return bootstrap_t_lift(np.array(control), np.array(treatment), seed=0)


@pytest.mark.parametrize("one", [0.1, 0.3, 0.7])
@pytest.mark.parametrize("other", [0.1, 0.6, 0.9])
def test_arms_of_equal_values_have_no_interval(one: float, other: float) -> None:
    """The mean of 0.1, 0.1 and 0.1 is not 0.1 for the machine, so they seem to differ."""
    assert lift_of([one] * 3, [other] * 6) is None


def test_resamples_of_equal_values_are_left_out() -> None:
    """Of these, 9 % have 0.1 only. Their rounding made a t statistic of 1e15."""
    found = lift_of([0.1, 0.1, 0.2], [0.1, 0.1, 0.3])
    assert found is not None
    assert found.estimate == pytest.approx(0.25)
    assert -1 < found.low < found.estimate < found.high < UNBOUNDED


def test_values_that_are_nearly_equal_have_no_upper_bound() -> None:
    """Some resamples differ in the ninth digit only, so their t statistic is in the millions."""
    assert lift_of([0.3, 0.3, 0.300000001, 0.6], [0.3, 0.3, 0.300000001, 0.9]) is None


def test_a_bound_is_kept_until_it_bounds_nothing() -> None:
    found = lift_of([0.5, 0.6, 0.7, 0.9, 1.0], [0.5, 0.6, 0.8, 0.9])
    assert found is not None
    assert -1 < found.low < found.estimate < found.high < UNBOUNDED
