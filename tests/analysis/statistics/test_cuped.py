"""CUPED against gbstats' published numbers, on data made to have exactly their sums."""

import math

import numpy as np
import pytest
from scipy import special

from analysis.statistics.contrast import Contrast
from analysis.statistics.cuped import adjust
from analysis.statistics.sample_moments import SampleMoments, Values, delta_method_terms


def data_with(n: int, sums: list[float], products: list[list[float]]) -> Values:
    """Random listeners, float64 (n, k), whose sums and sums of products are exactly these."""
    mean = np.asarray(sums) / n
    cov = (np.asarray(products) - n * np.outer(mean, mean)) / (n - 1)
    noise = np.random.default_rng(n).normal(size=(n, len(sums)))
    noise -= noise.mean(axis=0)
    whitened = noise @ np.linalg.inv(np.linalg.cholesky(np.cov(noise.T))).T
    return whitened @ np.linalg.cholesky(cov).T + mean


def test_the_slope_is_gbstats_slope() -> None:
    """Their case `theta`: 0.01864 over both arms, which are alike."""
    pre, post = np.array([0.3, 0.5, 0.9, 22.0]), np.array([2.0, 1.0, 5.0, 3.0])
    adjusted = adjust([post, post], [pre, pre])[0]
    theta = (post - adjusted)[3] / (pre[3] - pre.mean())
    assert theta == pytest.approx(0.01864, abs=5e-6)


def test_a_mean_adjusted_by_the_past_agrees_with_gbstats() -> None:
    """Their case `cuped_mean`.

    They divide by the control mean before adjustment, and their p-value is the delta method's for
    that ratio: made here of our adjusted arms.
    """
    a = data_with(3_001, [300, 210], [[600, -20], [-20, 415]])
    b = data_with(3_000, [222, 120], [[555, -10], [-10, 405]])
    adjusted = adjust([a[:, 0], b[:, 0]], [a[:, 1], b[:, 1]])
    contrast = Contrast(*(SampleMoments.of(arm) for arm in adjusted))
    before, after = float(a[:, 0].mean()), float(b[:, 0].mean())
    lift = contrast.difference / before
    assert lift == pytest.approx(-0.281707154, abs=5e-9)
    error = (
        math.hypot(
            contrast.treatment.standard_error, after / before * contrast.control.standard_error
        )
        / before
    )
    p = 2 * special.stdtr(contrast.degrees_of_freedom, -abs(lift / error))
    assert p == pytest.approx(0.003732549, abs=1e-5)


def test_a_ratio_adjusted_by_the_past_agrees_with_gbstats() -> None:
    """Their case `cuped_ratio`, through the listeners' linearised parts."""
    a = data_with(
        100,
        [485.112236689623, 679.9093275844917, 192.59138069991536, 290.1398399750233],
        [
            [2715.484666118136, 3602.146836776702, 1113.6215759318352, 1559.2878434944676],
            [3602.146836776702, 4939.424001640236, 1460.3181079276983, 2130.9404074446747],
            [1113.6215759318352, 1460.3181079276983, 460.076026390857, 634.239482353647],
            [1559.2878434944676, 2130.9404074446747, 634.239482353647, 920.9461385038898],
        ],
    )
    b = data_with(
        100,
        [514.7757826608777, 705.4090874383759, 206.94157227402536, 302.54389139107326],
        [
            [2994.897482705013, 3918.1561431600717, 1237.0953021125997, 1701.0287270040265],
            [3918.1561431600717, 5291.36604146392, 1604.0759503266522, 2292.081739775257],
            [1237.0953021125997, 1604.0759503266522, 514.2903702246757, 698.4173425817908],
            [1701.0287270040265, 2292.081739775257, 698.4173425817908, 994.4506208125663],
        ],
    )
    assert a[:, 0].sum() / a[:, 1].sum() == pytest.approx(0.713495487, abs=5e-10)
    after = [delta_method_terms(arm[:, 0], arm[:, 1]) for arm in (a, b)]
    before = [delta_method_terms(arm[:, 2], arm[:, 3]) for arm in (a, b)]
    contrast = Contrast(*(SampleMoments.of(arm) for arm in adjust(after, before)))
    assert contrast.difference / 0.713495487 == pytest.approx(-0.000701483, abs=6e-4)
    assert contrast.standard_error / 0.713495487 == pytest.approx(0.00391, abs=2e-4)


def test_the_past_narrows_the_interval_and_moves_no_mean() -> None:
    random = np.random.default_rng(3)
    past = random.normal(10, 2, 4_000)
    value = past + random.normal(0, 1, 4_000)
    value[2_000:] += 0.2
    past[::5] = np.nan
    raw = Contrast(SampleMoments.of(value[:2_000]), SampleMoments.of(value[2_000:]))
    arms = adjust([value[:2_000], value[2_000:]], [past[:2_000], past[2_000:]])
    adjusted = Contrast(*(SampleMoments.of(arm) for arm in arms))
    assert adjusted.standard_error < 0.62 * raw.standard_error
    assert adjusted.difference == pytest.approx(0.2, abs=3 * adjusted.standard_error)


def test_without_a_past_nothing_changes() -> None:
    arms = [np.array([1.0, 2.0, 3.0]), np.array([2.0, 4.0])]
    nothing = [np.full(3, np.nan), np.full(2, np.nan)]
    assert [arm.tolist() for arm in adjust(arms, nothing)] == [[1, 2, 3], [2, 4]]
