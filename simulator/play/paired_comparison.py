"""Compare two recommenders over the same sessions: the difference, and what pairing saves."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.play.session_table import Estimate, SessionTable, mean_by_listener

NORMAL_95 = 1.959963984540054
"""97.5 % quantile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Difference:
    """Difference between two recommenders, over sessions that both played.

    Attributes:
        first, second: Mean of each side, with the standard error of that side alone.
        paired: Mean of the differences second - first, with its standard error.
        variance_ratio: Factor by which an unpaired comparison needs more sessions for an interval
            of the same width: (se(first) ** 2 + se(second) ** 2) / se(paired) ** 2.
    """

    first: Estimate
    second: Estimate
    paired: Estimate

    @property
    def confidence_interval(self) -> tuple[float, float]:
        """95 % confidence interval of the difference."""
        half = NORMAL_95 * self.paired.standard_error
        return self.paired.mean - half, self.paired.mean + half

    @property
    def variance_ratio(self) -> float:
        """See above; infinite if all pairs differ by the same amount, NaN if nothing varies."""
        alone = self.first.standard_error**2 + self.second.standard_error**2
        if self.paired.standard_error == 0.0:
            return math.inf if alone else math.nan
        return alone / self.paired.standard_error**2


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of a paired simulation.

    Attributes:
        pairs: Sessions that both sides played to the end, a count.
        time: Difference in the mean time per session.
        tracks: Difference in the mean number of recommendations per session.
    """

    pairs: int
    time: Difference
    tracks: Difference


def ratio_of_means(base: SessionTable, played: SessionTable) -> tuple[float, float]:
    """The ratio of the mean times over sessions that both played, and half of its 95 % interval.

    The residuals of a ratio are b - r a (Fieller's linear form), so their standard error divided by
    the mean of a is that of the ratio.
    """
    _, one, two = np.intersect1d(
        base.number, played.number, assume_unique=True, return_indices=True
    )
    first, second = base.rows(one), played.rows(two)
    mean = float(first.time.mean())
    ratio = float(second.time.mean()) / mean
    residual = mean_by_listener(second.time - ratio * first.time, first.listener)
    return ratio, NORMAL_95 * residual.standard_error / mean


def compare(first: SessionTable, second: SessionTable) -> Comparison:
    """Compare session by session, without the sessions that only one side played."""
    numbers, in_first, in_second = np.intersect1d(
        first.number, second.number, assume_unique=True, return_indices=True
    )
    one, two = first.rows(in_first), second.rows(in_second)
    assert (one.listener == two.listener).all(), "one session, one listener, under any arm"

    def difference(a: npt.NDArray[np.float64], b: npt.NDArray[np.float64]) -> Difference:
        return Difference(
            mean_by_listener(a, one.listener),
            mean_by_listener(b, one.listener),
            mean_by_listener(b - a, one.listener),
        )

    return Comparison(
        len(numbers),
        difference(one.time, two.time),
        difference(one.steps.astype(np.float64), two.steps.astype(np.float64)),
    )
