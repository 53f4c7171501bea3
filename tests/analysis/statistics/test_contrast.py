"""Tests of differences and lifts against numbers that others published."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special

from analysis.statistics.contrast import Contrast
from analysis.statistics.inference import ConfidenceSequence, FixedHorizonTest
from analysis.statistics.sample_moments import SampleMoments, delta_method_terms

# R, datasets::sleep, t.test(extra ~ group).
SLEEP_X = np.array([0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0])
SLEEP_Y = np.array([1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4])


def moments(n: int, total: float, squares: float) -> SampleMoments:
    return SampleMoments(n, total / n, (squares - total**2 / n) / (n - 1))


# growthbook/growthbook, packages/stats/tests/frequentist/test_tests.py, commit 8f1db44 (MIT).
GB_A = moments(3_407, 1_396.87, 52_377.9767)
GB_B = moments(3_461, 2_422.7, 134_698.29)
GB_A3000 = moments(3_000, 1_396.87, 52_377.9767)


def test_welch_agrees_with_r_on_the_sleep_data() -> None:
    contrast = Contrast(SampleMoments.of(SLEEP_Y), SampleMoments.of(SLEEP_X))
    assert contrast.difference / contrast.standard_error == pytest.approx(-1.8608, abs=5e-5)
    assert contrast.degrees_of_freedom == pytest.approx(17.776, abs=5e-4)
    assert FixedHorizonTest().p_value(contrast) == pytest.approx(0.07939, abs=5e-6)
    found = contrast.difference_ci(FixedHorizonTest().critical(contrast, 0.05))
    assert (found.low, found.high) == pytest.approx((-3.3654832, 0.2054832), abs=5e-8)


def test_welch_agrees_with_gbstats() -> None:
    contrast = Contrast(GB_A, GB_B)
    found = contrast.difference_ci(FixedHorizonTest().critical(contrast, 0.05))
    assert (found.estimate, found.low, found.high) == pytest.approx(
        (0.29, 0.04538, 0.53462), abs=5e-6
    )
    assert contrast.standard_error == pytest.approx(0.12478, abs=5e-6)
    assert FixedHorizonTest().p_value(contrast) == pytest.approx(0.02016, abs=5e-6)


def test_a_ratio_of_totals_agrees_with_gbstats() -> None:
    """Their case `ratio_delta_method`: sums that no data has, so it checks the formula alone.

    Their p-value stands at the delta method's error of the relative difference, made here of ours.
    """

    def arm(
        n: int, top: float, top2: float, bottom: float, bottom2: float, both: float
    ) -> SampleMoments:
        return SampleMoments.of_ratio_moments(
            n,
            top / n,
            bottom / n,
            (top2 - top**2 / n) / (n - 1),
            (bottom2 - bottom**2 / n) / (n - 1),
            (both - top * bottom / n) / (n - 1),
        )

    a = arm(100, 270, 848.79, 510, 810, -900)
    b = arm(120, 300, 869, 500, 800, -905)
    assert (a.mean, b.mean) == pytest.approx((0.529411765, 0.6), abs=5e-10)
    contrast = Contrast(a, b)
    relative = (b.mean - a.mean) / a.mean
    assert relative == pytest.approx(0.133333333, abs=5e-10)
    # var_b/n_b/a^2 + b^2 var_a/n_a/a^4, negative variances included, as the case has them.
    squared = b.variance / b.n / a.mean**2 + b.mean**2 * a.variance / a.n / a.mean**4
    statistic = relative / math.sqrt(squared)
    p = 2 * special.stdtr(_freedom(contrast), -abs(statistic))
    assert p == pytest.approx(0.610663339, abs=5e-9)


def _freedom(contrast: Contrast) -> float:
    a, b = contrast.control, contrast.treatment
    u, v = a.variance / a.n, b.variance / b.n
    return (u + v) ** 2 / (u**2 / (a.n - 1) + v**2 / (b.n - 1))


@pytest.mark.parametrize(
    ("control", "treatment", "lift"),
    [(-10, -5, 0.5), (-10, -15, -0.5), (-2, 3, 2.5), (10, 15, 0.5), (10, 5, -0.5)],
)
def test_a_lift_has_the_sign_of_the_difference(
    control: float, treatment: float, lift: float
) -> None:
    """gbstats' case `negative_baseline`."""
    contrast = Contrast(SampleMoments(100, control, 1.0), SampleMoments(100, treatment, 1.0))
    found = contrast.lift_ci(2.0)
    assert found is not None
    assert found.estimate == pytest.approx(lift)
    assert found.low < lift < found.high
    assert found.excludes_zero


def test_a_lift_over_a_control_near_zero_is_undefined() -> None:
    assert Contrast(SampleMoments(50, 0.1, 1.0), SampleMoments(50, 3.0, 1.0)).lift_ci(1.98) is None
    assert Contrast(SampleMoments(50, 0.0, 1.0), SampleMoments(50, 3.0, 1.0)).lift_ci(1.98) is None


@pytest.mark.parametrize(
    ("control", "treatment"),
    [
        (SampleMoments(3, 20 / 3, 100.0), SampleMoments.of(np.array([1.0]))),
        (SampleMoments.of(np.array([])), SampleMoments.of(np.array([1.0, 2.0]))),
        (SampleMoments.of(np.ones(9)), SampleMoments.of(np.ones(9))),
        (
            SampleMoments.of_ratio(np.ones(5), np.zeros(5)),
            SampleMoments.of_ratio(np.ones(5), np.ones(5)),
        ),
    ],
    ids=["one-listener", "nobody", "all-alike", "no-denominator"],
)
def test_a_contrast_without_an_estimate_is_unknown(
    control: SampleMoments, treatment: SampleMoments
) -> None:
    assert not Contrast(control, treatment).known


coarse = st.floats(-8, 8).map(lambda x: round(x, 1))
spread = st.floats(0.1, 9).map(lambda x: round(x, 1))
size = st.integers(2, 3_000)


@given(size, coarse, spread, size, coarse, spread, st.sampled_from([0.05, 0.01, 0.3]))
def test_a_lift_excludes_zero_exactly_when_the_test_rejects(
    n: int, mean: float, var: float, n2: int, mean2: float, var2: float, alpha: float
) -> None:
    contrast = Contrast(SampleMoments(n, mean, var), SampleMoments(n2, mean2, var2))
    for rule in (FixedHorizonTest(), ConfidenceSequence(2_000)):
        critical, p = rule.critical(contrast, alpha), rule.p_value(contrast)
        if math.isclose(p, alpha, rel_tol=1e-9):
            continue
        assert contrast.difference_ci(critical).excludes_zero == (p < alpha)
        lift = contrast.lift_ci(critical)
        if lift is not None:
            assert lift.excludes_zero == (p < alpha)
            assert lift.low <= lift.estimate <= lift.high


def test_a_ratio_by_arrays_is_the_ratio_by_moments() -> None:
    random = np.random.default_rng(1)
    denominators = random.poisson(4, 500) + 1.0
    numerators = denominators * random.gamma(2, 1, 500)
    cov = np.cov(numerators, denominators)
    by_moments = SampleMoments.of_ratio_moments(
        500, numerators.mean(), denominators.mean(), cov[0, 0], cov[1, 1], cov[0, 1]
    )
    by_arrays = SampleMoments.of_ratio(numerators, denominators)
    assert by_arrays.mean == pytest.approx(by_moments.mean, rel=1e-12)
    assert by_arrays.variance == pytest.approx(by_moments.variance, rel=1e-12)
    assert delta_method_terms(numerators, denominators).mean() == pytest.approx(
        by_arrays.mean, rel=1e-12
    )


@pytest.mark.parametrize(
    ("planned", "low", "high"), [(1_000, -0.55844, 1.56516)], ids=["gbstats-seq_mean_N1000"]
)
def test_the_always_valid_half_width_agrees_with_gbstats(
    planned: int, low: float, high: float
) -> None:
    """Their interval around a relative lift whose standard error they print as 0.3334122146."""
    contrast = Contrast(GB_A3000, GB_B)
    reach = ConfidenceSequence(planned).critical(contrast, 0.05)
    assert reach == pytest.approx((high - low) / 2 / 0.3334122146, abs=5e-5)


def test_the_always_valid_p_value_agrees_with_gbstats() -> None:
    """Their case `seq_segment_one_N600`; its lift stands in the place of the difference."""
    a, b = moments(100, 270, 848.79), moments(120, 300, 869)
    error = math.sqrt(b.variance / b.n / a.mean**2 + b.mean**2 * a.variance / a.n / a.mean**4)
    lift = (b.mean - a.mean) / a.mean
    relative = Contrast(SampleMoments(100, 0.0, 0.0), SampleMoments(120, lift, 120 * error**2))
    rule = ConfidenceSequence(600)
    assert lift - rule.critical(relative, 0.05) * error == pytest.approx(-0.233322085, abs=5e-9)
    assert rule.p_value(relative) == pytest.approx(0.892332229, abs=5e-9)


def test_the_price_of_always_valid_at_the_planned_size_is_half_as_wide_again() -> None:
    contrast = Contrast(SampleMoments(5_000, 1.0, 1.0), SampleMoments(5_000, 1.0, 1.0))
    price = ConfidenceSequence(10_000).critical(contrast, 0.05) / FixedHorizonTest().critical(
        contrast, 0.05
    )
    assert price == pytest.approx(1.55, abs=0.01)
