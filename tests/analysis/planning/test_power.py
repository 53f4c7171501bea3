"""Listeners and effects against published numbers, and against experiments that are played."""

import numpy as np
import pytest
from scipy import stats

from analysis.planning.power import PowerDesign, effect_for, listeners_for, power_of
from core.errors import InputError

HALVES = {"C": 50.0, "T1": 50.0}


def test_the_power_of_rs_own_example() -> None:
    # R, ?power.t.test: power.t.test(n = 20, delta = 1, sd = 1) gives power = 0.8689528
    assert power_of(20, 20, 1, 1, 0.05) == pytest.approx(0.8689528, abs=5e-8)


def test_the_size_of_rs_own_example() -> None:
    # R, ?power.t.test: power.t.test(power = .90, delta = 1) gives n = 22.02110, so 23
    assert power_of(22.02110, 22.02110, 1, 1, 0.05) == pytest.approx(0.9, abs=1e-6)
    assert listeners_for(1, PowerDesign(0, 1, HALVES, power=0.9)) == {"C": 23, "T1": 23}


@pytest.mark.parametrize(
    ("effect", "alpha", "listeners"),
    [(0.2, 0.05, 393), (0.5, 0.05, 64), (0.8, 0.05, 26), (0.5, 0.01, 95), (0.8, 0.01, 38)],
)
def test_the_sizes_of_cohens_primer(effect: float, alpha: float, listeners: int) -> None:
    # Cohen, "A Power Primer" (Psychological Bulletin 112, 1992), table 2: per group, power .80.
    # Its numbers are rounded to the nearest, ours upwards.
    found = listeners_for(effect, PowerDesign(0, 1, HALVES, alpha=alpha))["C"]
    assert found - listeners in (0, 1)


def test_effect_and_listeners_are_each_others_inverse() -> None:
    wanted = PowerDesign(10, 4, {"C": 80, "T1": 20})
    total = sum(listeners_for(0.3, wanted).values())
    assert effect_for(total, wanted) == pytest.approx(0.3, rel=1e-3)


def test_more_arms_need_more_listeners_in_each() -> None:
    two = listeners_for(0.2, PowerDesign(0, 1, HALVES))
    four = listeners_for(0.2, PowerDesign(0, 1, dict.fromkeys(("C", "T1", "T2", "T3"), 25.0)))
    assert set(four) == {"C", "T1", "T2", "T3"}
    assert min(four.values()) > max(two.values())


def test_a_simulated_experiment_has_the_planned_power() -> None:
    wanted = PowerDesign(5, 2, {"C": 70, "T1": 30}, power=0.8)
    each = listeners_for(0.5, wanted)
    random = np.random.default_rng(3)
    rounds = 4000
    control = random.normal(5, 2, (rounds, each["C"]))
    treated = random.normal(5.5, 2, (rounds, each["T1"]))
    found = stats.ttest_ind(control, treated, axis=1, equal_var=False).pvalue < 0.05
    assert found.mean() == pytest.approx(0.8, abs=3 * (0.16 / rounds) ** 0.5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sd": 0.0}, r"--sd: must be above 0, got 0\.0"),
        ({"power": 1.0}, r"--power: must be between 0 and 1, got 1\.0"),
        ({"alpha": 0.0}, r"--alpha: must be between 0 and 1"),
        ({"power": 0.04}, r"--power: must exceed --alpha"),
        ({"weights": {"C": 1}}, r"--arm: must name two arms or more"),
        ({"weights": {"C": 1, "T1": 0}}, r"--arm: must name two arms or more, each with a weight"),
    ],
    ids=["no-spread", "certain", "no-error", "less-than-luck", "one-arm", "no-weight"],
)
def test_an_impossible_design_is_refused(change: dict, message: str) -> None:
    given = {"mean": 1.0, "sd": 1.0, "weights": HALVES} | change
    with pytest.raises(InputError, match=message):
        PowerDesign(**given)


@pytest.mark.parametrize(
    ("effect", "message"),
    [(0.0, r"--mde: must not be 0"), (1e-9, r"needs over 1e\+12 listeners")],
    ids=["none", "tiny"],
)
def test_an_effect_that_is_too_small_to_find_is_refused(effect: float, message: str) -> None:
    with pytest.raises(InputError, match=message):
        listeners_for(effect, PowerDesign(0, 1, HALVES))


def test_too_few_listeners_are_refused() -> None:
    with pytest.raises(InputError, match=r"--listeners: must be at least 2 in each arm"):
        effect_for(3, PowerDesign(0, 1, HALVES))
