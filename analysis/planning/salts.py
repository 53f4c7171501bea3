"""Looking for a salt whose split is even on past data, before the experiment begins.

Every salt is a fair split; one whose arms were alike in what is known of the listeners beforehand
leaves less to luck. Choosing so is rerandomisation (Morgan and Rubin, Annals of Statistics 2012):
the usual test stays valid and becomes a little conservative. It must be done before the start, and
never with data of the experiment itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from analysis.planning.pilot_data import PilotData
from analysis.statistics.sample_moments import SampleMoments, Values
from core.allocation import SLOTS, Allocation, Experiment
from core.errors import InputError
from core.progress import SILENT, Progress


@dataclass(frozen=True, slots=True)
class SaltSplit:
    """How a salt splits the past listeners.

    Attributes:
        salt: The salt.
        listeners: Arm -> how many.
        differences: Metric -> arm -> difference to the control in the past, relative to its mean.
        unevenness: The largest difference of all arms and metrics, in its standard errors. Of an
            unchosen salt, two arms and one metric it is above 1.96 once in twenty.
    """

    salt: str
    listeners: dict[str, int]
    differences: dict[str, dict[str, float]]
    unevenness: float


def compare_salts(
    experiment: Experiment, past: PilotData, salts: Iterable[str], progress: Progress = SILENT
) -> list[SaltSplit]:
    """What each salt would have done, the most even first.

    Args:
        experiment: The definition; its first arm is the control. Targeting and forced arms are
            left out: the log does not say who would be meant.
        past: The listeners.
        salts: What to try.
        progress: Advanced by one for each salt.

    Raises:
        InputError: There are too few listeners for the arms.
    """
    found = []
    for salt in salts:
        tried = replace(experiment, salt=salt, targeting={}, forced={})
        allocation = Allocation([tried])
        arms = [allocation.assign(user).arms.get(experiment.name, "") for user in past.users]
        found.append(
            _split(salt, np.array(arms), [arm.name for arm in experiment.arms if arm.weight], past)
        )
        progress.advance()
    return sorted(found, key=lambda split: (split.unevenness, split.salt))


def _split(salt: str, arms: npt.NDArray[np.str_], names: list[str], past: PilotData) -> SaltSplit:
    listeners = {name: int((arms == name).sum()) for name in names}
    if min(listeners.values()) < 2:
        raise InputError.one(
            "--salts", f"the log has too few listeners for these arms: {listeners}"
        )
    control, *others = names
    differences: dict[str, dict[str, float]] = {}
    worst = 0.0
    for metric, values in past.values.items():
        samples = {name: _sample(values, arms == name) for name in names}
        base = samples[control]
        differences[metric] = {}
        for name in others:
            apart = samples[name].mean - base.mean
            error = (samples[name].standard_error ** 2 + base.standard_error**2) ** 0.5
            differences[metric][name] = apart / base.mean if base.mean else float("nan")
            worst = max(worst, abs(apart) / error if error else 0.0)
    return SaltSplit(salt, listeners, differences, worst)


def _sample(values: Values, where: npt.NDArray[np.bool_]) -> SampleMoments:
    mine = values[where]
    return SampleMoments.of(mine[~np.isnan(mine)])


def entering_share(experiment: Experiment, holdout: float) -> float:
    """Share of all listeners that enter: the experiment's slots and traffic, without holdout."""
    start, end = experiment.slots
    return (end - start) / SLOTS * experiment.traffic * (1 - holdout)
