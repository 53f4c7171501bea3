"""Two recommenders under the same luck: how paired sessions differ, and what pairing saves."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from simulator.play.session_table import Estimate, SessionTable, mean_by_listener

NORMAL_95 = 1.959963984540054
"""97.5 % quantile of the normal distribution."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How much more one recommender brought than another, over sessions that both played.

    Attributes:
        first, second: Means of the two, each with the error it would have alone.
        paired: Mean of the differences second - first, with its error.
        saving: How many times as many sessions an unpaired comparison needs for an interval of
            the same width: (error of first ** 2 + error of second ** 2) / error of paired ** 2.
    """

    first: Estimate
    second: Estimate
    paired: Estimate

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the difference."""
        half = NORMAL_95 * self.paired.error
        return self.paired.mean - half, self.paired.mean + half

    @property
    def saving(self) -> float:
        """See above; infinite where every pair differs alike, NaN where nothing varies at all."""
        alone = self.first.error**2 + self.second.error**2
        if self.paired.error == 0.0:
            return math.inf if alone else math.nan
        return alone / self.paired.error**2


@dataclass(frozen=True, slots=True)
class Comparison:
    """All that a paired simulation says.

    Attributes:
        pairs: Sessions that both sides played to the end.
        time: Of the mean session time.
        tracks: Of the mean number of recommendations.
    """

    pairs: int
    time: Difference
    tracks: Difference


def compare(first: SessionTable, second: SessionTable) -> Comparison:
    """Compare session by session; sessions that only one side played are left out."""
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
