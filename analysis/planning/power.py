"""Power of Welch's two-sided test with equal variances, by the noncentral t distribution: the
listeners that an effect needs, and the effect that a number of listeners shows.

For two equal arms this is R's `power.t.test` (Cohen, Statistical Power Analysis, 1988, 2.2). The
far tail, in which the test rejects on the wrong side, is ignored, as R does unless `strict`.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

from scipy import optimize, stats

from core.errors import InputError

MOST = 1e12


@dataclass(frozen=True, slots=True)
class PowerDesign:
    """The effect that an experiment must be able to show, and how surely.

    Attributes:
        mean: Mean of the metric in the control arm; for relative effects.
        sd: Standard deviation of one listener's value, in the metric's unit.
        weights: Arm -> weight, the control first.
        power: Probability to find the effect if it exists, in (0, 1).
        alpha: Probability to find an effect that does not exist, two-sided, over all arms.
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
                f"must exceed --alpha ({self.alpha}), got {self.power}. A test without an effect "
                "already rejects that often. Use 0.8",
            )
        if len(self.weights) < 2 or min(self.weights.values()) <= 0:
            raise InputError.one("--arm", "must name two arms or more, each with a weight above 0")

    @property
    def level(self) -> float:
        """Alpha of one comparison with the control, by Bonferroni. Holm is never stricter."""
        return self.alpha / (len(self.weights) - 1)

    @property
    def shares(self) -> dict[str, float]:
        """Arm -> its share of the listeners."""
        total = sum(self.weights.values())
        return {arm: weight / total for arm, weight in self.weights.items()}


def power_of(control: float, treated: float, effect: float, sd: float, alpha: float) -> float:
    """Probability that the test of two arms rejects.

    Args:
        control: Listeners in the control arm.
        treated: Listeners in the treatment arm; more than 2 in both arms together.
        effect: The true difference, in the metric's unit.
        sd: Standard deviation of one listener's value, equal in both arms.
        alpha: Two-sided error rate.
    """
    degrees_of_freedom = control + treated - 2
    shift = abs(effect) / (sd * math.sqrt(1 / control + 1 / treated))
    critical = float(stats.t.isf(alpha / 2, degrees_of_freedom))
    found = float(stats.nct.sf(critical, degrees_of_freedom, shift))
    # Far in the tail scipy's series gives nan; there the normal distribution is equal to it.
    return found if math.isfinite(found) else float(stats.norm.sf(critical - shift))


def listeners_for(effect: float, design: PowerDesign) -> dict[str, int]:
    """Find the fewest listeners of each arm that give every comparison with the control the power.

    Args:
        effect: Smallest true difference to find, in the metric's unit, not 0.
        design: Everything else.

    Raises:
        InputError: The effect is 0, or needs more than `MOST` listeners.
    """
    if not effect or not math.isfinite(effect):
        raise InputError.one("--mde", f"must not be 0, got {effect}")

    def lacking(total: float) -> float:
        return _least_power(total, effect, design) - design.power

    least = 4 / min(design.shares.values())
    if lacking(least) >= 0:
        total = least
    elif lacking(MOST) < 0:
        raise InputError.one(
            "--mde", f"an effect of {effect:g} at sd {design.sd:g} needs over {MOST:g} listeners"
        )
    else:
        total = float(optimize.brentq(lacking, least, MOST, xtol=1e-6, rtol=1e-12))
    return {arm: math.ceil(share * total - 1e-6) for arm, share in design.shares.items()}


def effect_for(total: float, design: PowerDesign) -> float:
    """Find the smallest difference that a number of listeners shows, in the metric's unit.

    Raises:
        InputError: An arm has fewer than 2 listeners.
    """
    if total * min(design.shares.values()) < 2:
        raise InputError.one("--listeners", f"must be at least 2 in each arm, got {total:g} in all")

    def lacking(effect: float) -> float:
        return _least_power(total, effect, design) - design.power

    most = design.sd
    while lacking(most) < 0:
        most *= 2
    return float(optimize.brentq(lacking, 0.0, most, rtol=1e-10))


def _least_power(total: float, effect: float, design: PowerDesign) -> float:
    control, *others = (share * total for share in design.shares.values())
    return min(power_of(control, each, effect, design.sd, design.level) for each in others)
