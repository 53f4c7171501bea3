"""How many listeners an effect needs, and which effect so many listeners show: Welch's two-sided
test of equal spreads, by the noncentral t distribution.

For two equal arms this is R's `power.t.test` (Cohen, Statistical Power Analysis, 1988, 2.2; the far
tail, in which the test rejects on the wrong side, is left out as R does unless `strict`).
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from scipy import optimize, stats

from core.errors import InputError

MOST = 1e12


@dataclass(frozen=True, slots=True)
class PowerDesign:
    """What an experiment shall be able to show.

    Attributes:
        mean: Of the metric in the control arm; needed where an effect is relative.
        sd: Of one listener's value, in the metric's unit.
        weights: Arm -> weight, the control first.
        power: Chance to find the effect if it is there, in (0, 1).
        alpha: Chance to find one that is not there, two-sided, over all arms together.
    """

    mean: float
    sd: float
    weights: Mapping[str, float]
    power: float = 0.8
    alpha: float = 0.05

    def __post_init__(self) -> None:
        if not self.sd > 0 or not math.isfinite(self.sd):
            raise InputError.one("--sd", f"must be above 0, got {self.sd}")
        for name, value in (("--power", self.power), ("--alpha", self.alpha)):
            if not 0 < value < 1:
                raise InputError.one(name, f"must be between 0 and 1, got {value}")
        if self.power <= self.alpha:
            raise InputError.one(
                "--power",
                f"must be above alpha, {self.alpha}, got {self.power}: luck alone is that",
            )
        if len(self.weights) < 2 or min(self.weights.values()) <= 0:
            raise InputError.one("--arm", "needs two arms or more, each with a weight above 0")

    @property
    def level(self) -> float:
        """Alpha of one comparison with the control: Bonferroni, which Holm never exceeds."""
        return self.alpha / (len(self.weights) - 1)

    @property
    def shares(self) -> dict[str, float]:
        """Arm -> its share of the listeners."""
        total = sum(self.weights.values())
        return {arm: weight / total for arm, weight in self.weights.items()}


def power_of(control: float, treated: float, effect: float, sd: float, alpha: float) -> float:
    """Chance that the test of two arms rejects.

    Args:
        control: Listeners in the control arm, at least 2 together with the treated ones.
        treated: Listeners in the other arm.
        effect: True difference, in the metric's unit.
        sd: Of one listener's value, alike in both arms.
        alpha: Two-sided.
    """
    degrees_of_freedom = control + treated - 2
    shift = abs(effect) / (sd * math.sqrt(1 / control + 1 / treated))
    critical = float(stats.t.isf(alpha / 2, degrees_of_freedom))
    found = float(stats.nct.sf(critical, degrees_of_freedom, shift))
    # Far in the tail scipy's series gives nan; there the normal curve is the same.
    return found if math.isfinite(found) else float(stats.norm.sf(critical - shift))


def listeners_for(effect: float, wanted: PowerDesign) -> dict[str, int]:
    """Arm -> listeners, the fewest for which every comparison with the control has the power.

    Args:
        effect: Smallest true difference that is to be found, in the metric's unit, not 0.
        wanted: The rest.

    Raises:
        InputError: The effect is 0, or so small that no world has the listeners.
    """
    if not effect or not math.isfinite(effect):
        raise InputError.one("--mde", f"must be an effect other than 0, got {effect}")

    def lacking(total: float) -> float:
        return _least_power(total, effect, wanted) - wanted.power

    least = 4 / min(wanted.shares.values())
    if lacking(least) >= 0:
        total = least
    elif lacking(MOST) < 0:
        raise InputError.one(
            "--mde", f"an effect of {effect:g} at sd {wanted.sd:g} needs over {MOST:g} listeners"
        )
    else:
        total = float(optimize.brentq(lacking, least, MOST, xtol=1e-6, rtol=1e-12))
    return {arm: math.ceil(share * total - 1e-6) for arm, share in wanted.shares.items()}


def effect_for(total: float, wanted: PowerDesign) -> float:
    """The smallest difference that so many listeners of all arms show, in the metric's unit.

    Raises:
        InputError: There are too few listeners to say anything.
    """
    if total * min(wanted.shares.values()) < 2:
        raise InputError.one("--listeners", f"must be at least 2 in each arm, got {total:g} in all")

    def lacking(effect: float) -> float:
        return _least_power(total, effect, wanted) - wanted.power

    most = wanted.sd
    while lacking(most) < 0:
        most *= 2
    return float(optimize.brentq(lacking, 0.0, most, rtol=1e-10))


def _least_power(total: float, effect: float, wanted: PowerDesign) -> float:
    control, *others = (share * total for share in wanted.shares.values())
    return min(power_of(control, each, effect, wanted.sd, wanted.level) for each in others)
