"""Search for a salt that splits past listeners evenly, before the experiment starts.

Every salt is a fair split. A salt whose arms were equal on past data leaves less to chance. This
choice is rerandomisation (Morgan and Rubin, Annals of Statistics 2012): the usual test stays valid
and becomes a little conservative. Choose before the start, and never with data of the experiment.
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
    """The split of past listeners by one salt.

    Attributes:
        salt: The salt.
        listeners: Arm -> number of listeners.
        differences: Metric -> arm -> difference to the control in the past, relative to its mean.
        unevenness: The largest difference of all arms and metrics, in its standard errors. With a
            random salt, two arms and one metric it exceeds 1.96 once in twenty.
    """

    salt: str
    listeners: dict[str, int]
    differences: dict[str, dict[str, float]]
    unevenness: float


def compare_salts(
    experiment: Experiment, past: PilotData, salts: Iterable[str], progress: Progress = SILENT
) -> list[SaltSplit]:
    """Split the past listeners by each salt, the most even split first.

    Args:
        experiment: The definition; its first arm is the control. Targeting and forced arms are
            ignored: the log does not tell whom they select.
        past: The past listeners.
        salts: The salts to try.
        progress: Advances by one for each salt.

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
            "--salts",
            f"each arm must have 2 past listeners, got {listeners}. Use a longer log, or --salts 0",
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
    """Share of all listeners who enter: the experiment's slots and traffic, without the holdout."""
    start, end = experiment.slots
    return (end - start) / SLOTS * experiment.traffic * (1 - holdout)
