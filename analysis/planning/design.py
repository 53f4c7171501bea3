"""The design of an experiment: its size, its duration, and a salt that splits evenly."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from analysis.effects.metrics import SESSION_TIME, SESSIONS, Metric, choose_metrics
from analysis.planning.pilot_data import PilotData
from analysis.planning.power import PowerDesign, effect_for, listeners_for
from analysis.planning.salts import SaltSplit, compare_salts, entering_share
from core.allocation import Experiment
from core.errors import Faults
from core.progress import SILENT, Progress


@dataclass(frozen=True, slots=True)
class DesignOptions:
    """The wishes of the author of an experiment.

    Attributes:
        mde: Smallest effect to find, as a share of the control mean; None with `listeners`.
        listeners: Number of listeners; None with `mde`.
        metric: Name of the metric.
        mean: Mean of a listener's value; None for that of the pilot data.
        sd: Standard deviation between listeners; None for that of the pilot data.
        power: Probability to find the effect if it exists.
        alpha: Probability to find an effect that does not exist, two-sided, over all arms.
        per_day: New listeners a day; None for the arrivals of the pilot data.
        holdout: Share of the listeners whom no experiment gets.
        salts: Number of salts to try.
    """

    mde: float | None
    listeners: int | None
    metric: str = SESSION_TIME.name
    mean: float | None = None
    sd: float | None = None
    power: float = 0.8
    alpha: float = 0.05
    per_day: float | None = None
    holdout: float = 0.0
    salts: int = 100

    def raise_if_faulty(self, has_log: bool) -> None:
        """Check that there is one question and the numbers to answer it.

        Raises:
            InputError: Names all options that are missing or contradict each other.
        """
        faults = Faults()
        if (self.mde is None) == (self.listeners is None):
            faults.add(
                "--mde", "give either --mde, the effect, or --listeners, how many there will be"
            )
        if not has_log and (self.mean is None or self.sd is None):
            faults.add("LOG", "name a past log, or give both --mean and --sd")
        if self.mean is not None and not self.mean:
            faults.add("--mean", "must not be 0: the effect is a share of it")
        faults.raise_if_any()


@dataclass(frozen=True, slots=True)
class ExperimentDesign:
    """A planned experiment.

    Attributes:
        experiment: Name of the experiment.
        metric: Name of the metric.
        mean: Mean of a listener's value in the control arm.
        sd: Standard deviation between listeners.
        mde: Smallest effect that it finds, as a share of the mean.
        power: Probability to find that effect.
        alpha: Error rate over all arms.
        level: Error rate of each comparison.
        by_arm: Arm -> number of listeners.
        days: Days until so many listeners come; None if unknown.
        days_from: Source of the days, or why they are unknown.
        salts: Splits of the pilot listeners, the most even first; empty without pilot data.
    """

    experiment: str
    metric: str
    mean: float
    sd: float
    mde: float
    power: float
    alpha: float
    level: float
    by_arm: Mapping[str, int]
    days: float | None
    days_from: str
    salts: tuple[SaltSplit, ...]

    @property
    def listeners(self) -> int:
        """Number of listeners of all arms."""
        return sum(self.by_arm.values())


def pilot_metrics(extra: Mapping[str, Any], name: str) -> list[Metric]:
    """Metrics to read from a pilot log: the metric of the design, and the activity of listeners.

    Raises:
        InputError: A metric is unknown or faulty.
    """
    faults = Faults()
    first, others = choose_metrics(extra, name, faults, "--metric")
    faults.raise_if_any()
    known = {each.name: each for each in (first, *others)}
    return [known[each] for each in dict.fromkeys([name, SESSION_TIME.name, SESSIONS.name])]


def design_experiment(
    options: DesignOptions,
    experiment: Experiment,
    pilot: PilotData | None,
    progress: Progress = SILENT,
) -> ExperimentDesign:
    """Find the size, the duration and the salt of an experiment.

    Args:
        options: What the author wants; `raise_if_faulty` has found no fault.
        experiment: The definition; its first arm is the control.
        pilot: Listeners of a past log; None to use mean and standard deviation of the options.
        progress: Advances by one for each salt.

    Raises:
        InputError: The effect needs too many listeners, or an arm has too few.
    """
    mean, sd = options.mean, options.sd
    if pilot is not None:
        sample = pilot.samples[options.metric]
        mean = sample.mean if mean is None else mean
        sd = sample.variance**0.5 if sd is None else sd
    assert mean is not None
    assert sd is not None
    weights = {arm.name: arm.weight for arm in experiment.arms if arm.weight}
    power = PowerDesign(mean, sd, weights, options.power, options.alpha)
    if options.listeners is None:
        assert options.mde is not None
        mde, by_arm = options.mde, listeners_for(options.mde * mean, power)
    else:
        mde = effect_for(options.listeners, power) / abs(mean)
        by_arm = {name: int(share * options.listeners) for name, share in power.shares.items()}
    days, source = _duration(sum(by_arm.values()), experiment, options, pilot)
    return ExperimentDesign(
        experiment.name, options.metric, mean, sd, mde, options.power, options.alpha, power.level,
        by_arm, days, source, _try_salts(experiment, pilot, options.salts, progress),
    )  # fmt: skip


def _duration(
    listeners: int, experiment: Experiment, options: DesignOptions, pilot: PilotData | None
) -> tuple[float | None, str]:
    share = entering_share(experiment, options.holdout)
    if not share:
        return None, "the experiment has no traffic"
    if options.per_day:
        return listeners / share / options.per_day, "--per-day"
    if pilot is None:
        return None, "give --per-day or a past log"
    days, beyond = pilot.days_until(listeners, share)
    if days == float("inf"):
        return None, "no new listener came in the log's second half"
    return days, "the log, and after its end the rate of its second half" if beyond else "the log"


def _try_salts(
    experiment: Experiment, pilot: PilotData | None, count: int, progress: Progress
) -> tuple[SaltSplit, ...]:
    # Botify's hash has no salt, so there is none to choose.
    if pilot is None or not count or experiment.hash != "segue":
        return ()
    progress.start("salts", count)
    names = [f"{experiment.name}-{number:04}" for number in range(1, count + 1)]
    return tuple(compare_salts(experiment, pilot, names, progress))
