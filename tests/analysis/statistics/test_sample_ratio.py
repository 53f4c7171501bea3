"""The sample-ratio test against published numbers, and its error rates by simulation."""

import math

import numpy as np
import pytest

from analysis.statistics.sample_ratio import (
    ALARM,
    detectable_loss,
    sample_ratio_p,
    sequential_sample_ratio_p,
)


def test_kohavis_example_is_found() -> None:
    """Kohavi, Tang, Xu, Trustworthy Online Controlled Experiments (2020), chapter 3."""
    assert sample_ratio_p([821_588, 815_482], [1, 1]) == pytest.approx(1.8e-6, rel=0.05)


@pytest.mark.parametrize(
    ("observed", "weights", "p"),
    [
        ([50, 50], [1, 1], 1.0),
        ([60, 40], [50, 50], math.erfc(2 / math.sqrt(2))),  # chi-square 4 at one degree: |z| = 2
        ([30, 30, 30], [1, 1, 1], 1.0),
        ([40, 30, 20], [1, 1, 1], math.exp(-400 / 60 / 2)),  # two degrees: exp(-x / 2)
        ([7, 0], [1, 0], 1.0),
        ([7, 1], [1, 0], 0.0),
        ([0, 0], [1, 1], 1.0),
    ],
    ids=["even", "two-sigma", "three-even", "three-uneven", "one-arm", "impossible", "nobody"],
)
def test_the_p_value_agrees_with_a_calculation_by_hand(
    observed: list[int], weights: list[float], p: float
) -> None:
    assert sample_ratio_p(observed, weights) == pytest.approx(p, rel=1e-9)


def test_a_fair_split_raises_alarms_at_the_nominal_rate() -> None:
    """20,000 sound splits: about 20 alarms at 0.001, within four standard errors."""
    counts = np.random.default_rng(5).multinomial(5_000, [0.5, 0.3, 0.2], size=20_000)
    alarms = sum(sample_ratio_p(row.tolist(), [50, 30, 20]) < ALARM for row in counts)
    assert abs(alarms - 20) <= 4 * math.sqrt(20)


def test_looking_a_hundred_times_raises_no_alarm_but_a_real_loss_does() -> None:
    random = np.random.default_rng(6)
    sound = random.multinomial(100, [0.5, 0.5], size=(300, 100))
    assert sum(sequential_sample_ratio_p(day, [1, 1]) < 0.05 for day in sound) <= 0.05 * 300
    torn = random.multinomial(100, [0.46, 0.54], size=(20, 100))
    assert all(sequential_sample_ratio_p(day, [1, 1]) < ALARM for day in torn)


def test_the_detectable_loss_is_detected_with_its_power() -> None:
    loss = detectable_loss(10_000, [1, 1], power=0.8)
    assert loss is not None
    kept = np.array([1.0, 1.0 - loss])
    counts = np.random.default_rng(7).multinomial(10_000, kept / kept.sum(), size=2_000)
    found = np.mean([sample_ratio_p(row.tolist(), [1, 1]) < ALARM for row in counts])
    assert found == pytest.approx(0.8, abs=4 * math.sqrt(0.8 * 0.2 / 2_000))


def test_ten_listeners_cannot_show_a_lost_half() -> None:
    assert detectable_loss(10, [1, 1]) is None
