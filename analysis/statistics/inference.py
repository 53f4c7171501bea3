"""Inference methods: a fixed-horizon test for one look, a confidence sequence for many looks.

A method gives the p-value of a contrast, and the critical value: an interval with that half-width,
in standard errors, excludes 0 exactly if the p-value is below `alpha`.
"""

import math
from dataclasses import dataclass
from typing import Protocol

from scipy import special

from analysis.statistics.contrast import Contrast

ALPHA = 0.05
"""Default error rate; the confidence is 1 - ALPHA."""


class InferenceMethod(Protocol):
    """A rule for when the evidence of a contrast is enough."""

    def p_value(self, contrast: Contrast) -> float:
        """Probability of evidence at least this strong without a difference, in [0, 1]."""

    def critical(self, contrast: Contrast, alpha: float) -> float:
        """Half-width of an interval of confidence 1 - alpha, in standard errors."""


@dataclass(frozen=True, slots=True)
class FixedHorizonTest:
    """Welch's t-test (Welch 1947): valid for one look at the planned size."""

    def p_value(self, contrast: Contrast) -> float:
        """Two-sided, by Student's t with Satterthwaite's degrees of freedom."""
        statistic = abs(contrast.difference / contrast.standard_error)
        return float(min(1.0, 2 * special.stdtr(contrast.degrees_of_freedom, -statistic)))

    def critical(self, contrast: Contrast, alpha: float) -> float:
        """Student's t quantile."""
        return float(-special.stdtrit(contrast.degrees_of_freedom, alpha / 2))


@dataclass(frozen=True, slots=True)
class ConfidenceSequence:
    """Asymptotic confidence sequence: valid at every look and for every stopping time.

    Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, "Time-uniform central limit theory and asymptotic
    confidence sequences" (arXiv 2103.06476), equations 9, 155 and 161, with n the listeners of
    both arms. It is narrowest at `planned` listeners, where it is 1.55 times as wide as the fixed
    interval. Each listener must count once, with a final value; it is not valid if values still
    grow.

    Attributes:
        planned: Listeners of both arms at which it is narrowest; fixed before the start.
        tuned_for: Error rate at which it is narrowest there.
    """

    planned: int
    tuned_for: float = ALPHA

    @property
    def rho2(self) -> float:
        """The tuning parameter of equation 161, squared."""
        log = -2 * math.log(self.tuned_for)
        return (log + math.log(1 + log)) / self.planned

    def p_value(self, contrast: Contrast) -> float:
        """The smallest alpha whose interval excludes 0: its half-width, solved for alpha."""
        scaled = contrast.n * self.rho2
        statistic = contrast.difference / contrast.standard_error
        log_p = 0.5 * math.log1p(scaled) - statistic**2 * scaled / (2 * (1 + scaled))
        return math.exp(min(log_p, 0.0))

    def critical(self, contrast: Contrast, alpha: float) -> float:
        """Half-width of equation 9 in standard errors."""
        scaled = contrast.n * self.rho2
        log = 0.5 * math.log1p(scaled) - math.log(alpha)
        return math.sqrt(2 * (1 + scaled) * log / scaled)
