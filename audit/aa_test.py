"""A/A test: split the listeners of a log by many salts. The arms do not differ, so p is uniform.

The test finds a wrong variance, sessions that are counted as listeners, and a salt that sorts
listeners by taste, whatever the data.
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
"""A smaller p-value of the test of uniformity is an alarm. The salts are always the same, so a
false alarm would never go away. A wrong test gives p-values that are smaller by many orders."""


@dataclass(frozen=True, slots=True)
class AATestResult:
    """The result of many splits.

    Attributes:
        listeners: Number of split listeners.
        p_values: One for each salt, of no difference between the means.
        uniform_p: p-value of uniform p-values, by the exact test of Kolmogorov and Smirnov.
    """

    listeners: int
    p_values: tuple[float, ...]
    uniform_p: float

    @property
    def sound(self) -> bool:
        """True if the p-values are compatible with a uniform distribution."""
        return self.uniform_p >= ALARM

    @property
    def rejected(self) -> float:
        """Share of the salts with an effect at 0.05."""
        return sum(p < 0.05 for p in self.p_values) / len(self.p_values)


def mean_session_times(log: EventLog) -> dict[str, float]:
    """Mean time of each listener's ended sessions, in tracks, as a report compares it."""
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
    """Split listeners in halves by many salts, and compare the halves each time.

    Args:
        values: One number for each listener.
        experiment: Name of the experiment, which the hash includes.
        salts: Number of salts.
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
