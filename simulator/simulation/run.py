"""The run of a simulation: all its days against each recommender, a day at a time."""

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack, closing
from dataclasses import dataclass
from functools import partial
from time import perf_counter

from core.progress import Progress
from simulator.play.workers import Outcome, ProcessPool, SingleProcess, WorkerPool
from simulator.simulation.options import RecommenderSpec
from simulator.simulation.plan import SimulationPlan, make_shard


@dataclass(frozen=True, slots=True)
class SimulationRun:
    """The sessions played against one recommender.

    Attributes:
        name: Name of the recommender.
        outcome: The sessions and what went wrong.
        seconds: Wall time of the whole simulation.
        stopped: Whether the user interrupted it.
    """

    name: str
    outcome: Outcome
    seconds: float
    stopped: bool


def run_simulation(
    plan: SimulationPlan,
    open_progress: Callable[[], AbstractContextManager[Progress]],
    goes_on: Callable[[int], bool] = lambda _: True,
    should_stop: Callable[[], bool] = lambda: False,
) -> list[SimulationRun]:
    """Play all days against each recommender of the plan.

    Args:
        plan: The parts of the simulation.
        open_progress: Shows the progress of one day against one recommender.
        goes_on: Called with the number of days over, before the next; false ends the simulation.
        should_stop: Polled while sessions are played; true ends the simulation.

    Returns:
        One run per recommender, in the order of the plan.
    """
    began = perf_counter()
    outcomes: list[list[Outcome]] = [[] for _ in plan.recommenders]
    with ExitStack() as stack:
        pools = [
            stack.enter_context(closing(_make_pool(plan, which)))
            for which in range(len(plan.recommenders))
        ]
        for day in range(plan.options.days):
            if day and not goes_on(day):
                break
            for recommender, pool, of_pool in zip(plan.recommenders, pools, outcomes, strict=True):
                with open_progress() as progress:
                    of_pool.append(_play(plan, recommender, pool, day, progress, should_stop))
            if any(of_pool[-1].unfinished for of_pool in outcomes):
                break
    seconds = perf_counter() - began
    return [
        SimulationRun(str(recommender), Outcome.merge(of_pool), seconds, should_stop())
        for recommender, of_pool in zip(plan.recommenders, outcomes, strict=True)
    ]


def _make_pool(plan: SimulationPlan, which: int) -> WorkerPool:
    make = partial(make_shard, plan, which)
    if plan.options.processes == 1:
        return SingleProcess(make)
    return ProcessPool(make, plan.options.processes)


def _play(
    plan: SimulationPlan,
    recommender: RecommenderSpec,
    pool: WorkerPool,
    day: int,
    progress: Progress,
    should_stop: Callable[[], bool],
) -> Outcome:
    """Play one day against one recommender."""
    days = plan.options.days
    of_day = f", day {day + 1} of {days}" if days > 1 else ""
    announce = partial(progress.start, f"sessions, {recommender}{of_day}")
    return pool.play(day, plan.options.episodes, announce, progress.advance, should_stop)
