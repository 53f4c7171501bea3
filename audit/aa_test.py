"""A/A: the listeners of a log, split anew by many salts. Nothing differs, so p must be uniform.

A wrong variance, sessions counted as if they were listeners, or a salt that sorts listeners by what
they like shows itself here, whatever the data.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from scipy import stats

from analysis.statistics.contrast import Contrast
from analysis.statistics.inference import FixedHorizonTest
from analysis.statistics.sample_moments import SampleMoments
from core.allocation import Allocation, Arm, Experiment
from events.reader import EventLog

ALARM = 0.0001
"""A p-value of the test of uniformity below this is an alarm. Salts are always the same ones, so a
false alarm would never go away; a wrong test falls below it by tens of orders of magnitude."""


@dataclass(frozen=True, slots=True)
class AATestResult:
    """What came of many splits.

    Attributes:
        listeners: How many were split.
        p_values: One a salt, of no difference in the mean.
        uniform_p: Of the p-values being uniform, by the exact test of Kolmogorov and Smirnov.
    """

    listeners: int
    p_values: tuple[float, ...]
    uniform_p: float

    @property
    def sound(self) -> bool:
        """Whether the p-values may well be uniform."""
        return self.uniform_p >= ALARM

    @property
    def rejected(self) -> float:
        """Share of the salts that would have found an effect at 0.05."""
        return sum(p < 0.05 for p in self.p_values) / len(self.p_values)


def mean_times(log: EventLog) -> dict[str, float]:
    """Mean time of a session by listener, in tracks: what a report compares; ended ones only."""
    return dict(
        log.query(
            'SELECT "user", avg(time_all) FROM sessions WHERE ended AND NOT forced '
            'GROUP BY "user" ORDER BY "user"'
        )
    )


def run_aa_test(
    values: Mapping[str, float],
    experiment: str,
    salts: int = 1000,
) -> AATestResult:
    """Split listeners in halves by many salts of an experiment, and compare them every time.

    Args:
        values: One number a listener.
        experiment: Its name, which is hashed too.
        salts: How many.
    """
    users = list(values)
    numbers = np.fromiter(values.values(), dtype=np.float64)
    arms = (Arm("one", 50), Arm("other", 50))
    p_values = []
    for salt in range(salts):
        drawn = Experiment(experiment, arms, salt=f"a/a {salt}", layer="a/a")
        assign = Allocation([drawn]).assign
        mine = np.fromiter(
            (assign(user).arms[experiment] == "one" for user in users),
            dtype=bool,
            count=len(users),
        )
        contrast = Contrast(SampleMoments.of(numbers[mine]), SampleMoments.of(numbers[~mine]))
        p_values.append(FixedHorizonTest().p_value(contrast) if contrast.known else 1.0)
    uniform_p = float(stats.kstest(p_values, "uniform", method="exact").pvalue)
    return AATestResult(len(users), tuple(p_values), uniform_p)
