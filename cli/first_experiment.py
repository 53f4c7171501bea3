"""The first experiment of a new server: two of its lists, planned on its owner's listens."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from core.allocation import Arm, Experiment
from core.errors import InputError

if TYPE_CHECKING:
    from analysis.planning.design import ExperimentDesign
    from analysis.planning.pilot_data import PilotData
    from core.progress import Progress
    from training.interactions import Interactions

MDE = 0.05
"""The effect that the plan finds, if the file has enough listeners for it."""


@dataclass(frozen=True, slots=True)
class FirstExperiment:
    """An experiment over two strategies.

    Attributes:
        control: The strategy of arm C.
        treatment: The strategy of arm T1.
        design: Size and salt, from `segue design`; None if the file has too little to plan from.
        why_not: Reason why there is no design.
    """

    control: str
    treatment: str
    design: "ExperimentDesign | None"
    why_not: str = ""

    @property
    def name(self) -> str:
        """Name of the experiment."""
        return f"{self.treatment}_vs_{self.control}"


def plan_first_experiment(
    control: str, treatment: str, listens: "Interactions", progress: "Progress"
) -> FirstExperiment:
    """Plan an experiment as `segue design` does, on the listeners of a file."""
    from analysis.planning.design import DesignOptions, design_experiment

    unplanned = FirstExperiment(control, treatment, None)
    arms = (Arm("C", 50, control), Arm("T1", 50, treatment))
    definition = Experiment(unplanned.name, arms)
    try:
        pilot = pilot_data_of(listens)
        design = design_experiment(DesignOptions(MDE, None), definition, pilot, progress)
        if design.listeners > len(pilot.users):
            # More listeners than there are: plan for those, and say which effect they show.
            options = DesignOptions(None, len(pilot.users))
            design = design_experiment(options, definition, pilot, progress)
    except InputError as error:
        return replace(unplanned, why_not=error.faults[0].what)
    return replace(unplanned, design=design)


def pilot_data_of(listens: "Interactions") -> "PilotData":
    """Take the listeners of a training table for those of a past log.

    Raises:
        InputError: There are fewer than 2 listeners, or they are all alike.
    """
    from analysis.effects.metrics import SESSION_TIME, SESSIONS
    from analysis.planning.pilot_data import PilotData
    from analysis.statistics.sample_moments import SampleMoments

    starts = listens.starts
    owner = listens.user[starts[:-1]]
    users, index = np.unique(owner, return_inverse=True)
    sessions = np.bincount(index).astype(np.float64)
    time = np.add.reduceat(listens.time.astype(np.float64), starts[:-1])
    values = {
        SESSION_TIME.name: np.bincount(index, weights=time) / sessions,
        SESSIONS.name: sessions,
    }
    if len(users) < 2:
        raise InputError.one("the file", f"must have 2 listeners, has {len(users)}")
    samples = {name: SampleMoments.of(each) for name, each in values.items()}
    if not samples[SESSION_TIME.name].variance > 0:
        raise InputError.one("the file", "must have listeners whose session time differs")
    values = {name: each for name, each in values.items() if samples[name].variance > 0}
    first = np.full(len(users), np.iinfo(np.int64).max)
    np.minimum.at(first, index, listens.at_ms[starts[:-1]])
    return PilotData(
        [listens.users[user] for user in users.tolist()],
        values,
        {name: samples[name] for name in values},
        first,
        int(listens.at_ms.max()),
    )
