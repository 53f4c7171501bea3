"""How much evidence is enough: the fixed test for one look, the always-valid one for many.

A rule answers two questions about a contrast: what is its p-value, and how many standard errors
must an interval reach so that it excludes 0 exactly when the p-value is below `alpha`.
"""

import math
from dataclasses import dataclass
from typing import Protocol

from scipy import special

from analysis.statistics.contrast import Contrast

ALPHA = 0.05
"""Error rate unless told otherwise; confidence is 1 - ALPHA."""


class InferenceMethod(Protocol):
    """When to believe a contrast."""

    def p_value(self, contrast: Contrast) -> float:
        """Chance of evidence at least this strong when there is no difference, in [0, 1]."""

    def critical(self, contrast: Contrast, alpha: float) -> float:
        """Standard errors that an interval of confidence 1 - alpha reaches to each side."""


@dataclass(frozen=True, slots=True)
class FixedHorizonTest:
    """Welch's t-test (Welch 1947): for one look at a size that was planned."""

    def p_value(self, contrast: Contrast) -> float:
        """Two-sided, by Student's t with Satterthwaite's degrees of freedom."""
        statistic = abs(contrast.difference / contrast.standard_error)
        return float(min(1.0, 2 * special.stdtr(contrast.degrees_of_freedom, -statistic)))

    def critical(self, contrast: Contrast, alpha: float) -> float:
        """Student's t quantile."""
        return float(-special.stdtrit(contrast.degrees_of_freedom, alpha / 2))


@dataclass(frozen=True, slots=True)
class ConfidenceSequence:
    """Asymptotic confidence sequence: however often one looks, and whenever one stops.

    Waudby-Smith, Arbour, Sinha, Kennedy, Ramdas, "Time-uniform central limit theory and asymptotic
    confidence sequences" (arXiv 2103.06476), equations 9, 155 and 161, with n the listeners of
    both arms. It is narrowest at `planned` listeners, where it is 1.55 times as wide as the fixed
    interval. It holds for listeners that are counted once and finished; a listener whose value
    keeps growing breaks it.

    Attributes:
        planned: Listeners of both arms at which it is to be narrowest; fixed before the start.
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
