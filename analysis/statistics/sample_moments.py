"""Moments of one arm: number of listeners, mean and variance."""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

Values = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class SampleMoments:
    """Moments of one number per listener.

    Attributes:
        n: Number of listeners.
        mean: The mean; for a ratio of totals, the ratio.
        variance: Of one listener's value, with n - 1; nan below two listeners.
    """

    n: int
    mean: float
    variance: float

    @classmethod
    def of(cls, values: Values) -> Self:
        """Sum up one float64 value per listener."""
        n = len(values)
        mean = float(values.mean()) if n else math.nan
        return cls(n, mean, float(values.var(ddof=1)) if n > 1 else math.nan)

    @classmethod
    def of_ratio(cls, numerators: Values, denominators: Values) -> Self:
        """Ratio of totals, sum(tops) / sum(bottoms), by the delta method.

        r = sum T / sum S; z_i = (T_i - r S_i) / mean(S); var(r) = var(z) / n (Deng, Knoblich, Lu,
        "Applying the Delta Method in Metric Analytics", KDD 2018). The sample is the
        listeners, not their sessions: sessions of one listener are alike.

        Args:
            numerators: float64, (listeners,).
            denominators: float64, (listeners,), in the same order.
        """
        n, total = len(numerators), float(denominators.sum())
        if not total:
            return cls(n, math.nan, math.nan)
        ratio = float(numerators.sum()) / total
        spread = delta_method_terms(numerators, denominators)
        return cls(n, ratio, float(spread.var(ddof=1)) if n > 1 else math.nan)

    @classmethod
    def of_ratio_moments(
        cls,
        n: int,
        numerator: float,
        denominator: float,
        numerator_var: float,
        denominator_var: float,
        cov: float,
    ) -> Self:
        """Ratio of totals, from means, variances and covariance of numerators and denominators."""
        if not denominator:
            return cls(n, math.nan, math.nan)
        ratio = numerator / denominator
        variance = (numerator_var - 2 * ratio * cov + ratio**2 * denominator_var) / denominator**2
        return cls(n, ratio, variance)

    @property
    def standard_error(self) -> float:
        """Standard error of the mean."""
        return math.sqrt(self.variance / self.n) if self.n else math.nan


def delta_method_terms(numerators: Values, denominators: Values) -> Values:
    """Each listener's term in the ratio of totals, ratio + z_i; their mean is the ratio."""
    ratio = numerators.sum() / denominators.sum()
    part: Values = ratio + (numerators - ratio * denominators) / denominators.mean()
    return part
