"""The status of every running experiment: its definition, and each arm's counts since the start."""

from collections import Counter, defaultdict
from typing import Any

from pydantic import BaseModel, Field

from app.counts import Counts
from core.allocation import SLOTS, Experiment
from engine.experiment_ledger import ExperimentLedger, StartedExperiment
from engine.metrics import Labels, LatencyHistogram, ServerMetrics
from engine.runtime import Runtime

ByArm = defaultdict[tuple[str, str, str], list[tuple[Labels, LatencyHistogram]]]
"""Experiment, its assignment fingerprint, arm -> groups of answers, without forced ones."""


class ArmStatus(BaseModel):
    """An arm, and its counts since the start, without forced requests."""

    name: str
    strategy: str | None = Field(description="The arm's strategy; null in a layer of labels.")
    weight: float
    planned_share: float = Field(
        description="Planned share of the experiment's listeners, by weight."
    )
    listeners: int = Field(
        description="Distinct listeners that entered the arm; the server counts a listener again "
        "after it has forgotten them."
    )
    seen_share: float | None = Field(
        description="Measured share of the experiment's listeners; null before the first one."
    )
    requests: int = Field(description="Number of answers.")
    answered_by: dict[str, int] = Field(
        description="Number of answers by the strategy that proposed the track."
    )
    fallback_share: float | None = Field(
        description="Share of the answers given after the arm's own strategy abstained."
    )
    failures: int = Field(
        description="Number of times that a strategy of the arm's chain raised an exception; the "
        "server then asked the next one."
    )
    mean_s: float | None = Field(
        description="Mean time from the request's arrival to its written event, in seconds."
    )
    p99_s: float | None = Field(
        description="99th percentile of the same time, in seconds; at most a quarter too high or "
        "too low."
    )


class ExperimentStatus(BaseModel):
    """An experiment's definition, its fingerprint, and its arms."""

    name: str
    version: int
    digest: str = Field(description="Fingerprint of the whole definition.")
    salt: str
    layer: str
    slots: tuple[int, int]
    traffic: float
    hash: str
    targeting: dict[str, list[Any]]
    forced: dict[str, str] = Field(description="The arm of each listed tester, by listener.")
    started_ms: int | None = Field(
        description="Unix time in ms at which this version first had traffic, on any server that "
        "shares the folder of started experiments; null before."
    )
    planned: dict[str, Any] = Field(
        description="The plan that `segue design` wrote; after the start, the plan at the start."
    )
    planned_share: float = Field(
        description="Planned share of all listeners, by holdout, slots and traffic; targeting is "
        "not part of it."
    )
    listeners: int
    requests: int
    arms: list[ArmStatus]


class Holdout(BaseModel):
    """The listeners who are in no experiment."""

    share: float
    salt: str


class ServerStatus(BaseModel):
    """The config that decides, and the counts since the start, over all workers of the server."""

    config: str = Field(description="Fingerprint of config and data; every event has it.")
    since_ms: int = Field(description="Unix time in ms at which the server started.")
    workers: int = Field(description="Number of processes whose counts are added up here.")
    default: str = Field(description="Strategy for listeners who are in no experiment.")
    holdout: Holdout
    requests: int = Field(description="Number of answers under all configs since the start.")
    forced_requests: int = Field(
        description="Number of those answers with an arm forced for testing."
    )
    experiments: list[ExperimentStatus]


def server_status(runtime: Runtime, counts: Counts) -> ServerStatus:
    """Give the config that decides now, with the counts of its experiments.

    An experiment's counts continue through reloads while its arms stay the same; a new version
    starts at 0.
    """
    metrics = counts.metrics
    by_arm: ByArm = defaultdict(list)
    for each, answers in metrics.answers.items():
        if not each.forced:
            by_arm[each.experiment, each.fingerprint, each.arm].append((each, answers))
    each_once = [(each, answers) for each, answers in metrics.answers.items() if each.first]
    started = ExperimentLedger(runtime.settings.started_folder).started(
        runtime.allocation.experiments
    )
    return ServerStatus(
        config=runtime.digest,
        since_ms=counts.since_ms,
        workers=counts.workers,
        default=runtime.default,
        holdout=Holdout(**runtime.settings.holdout.model_dump()),
        requests=sum(answers.count for _, answers in each_once),
        forced_requests=sum(answers.count for each, answers in each_once if each.forced),
        experiments=[
            _experiment(
                each,
                runtime.fingerprints[each.name],
                runtime.settings.holdout.share,
                metrics,
                by_arm,
                **_plan_and_start(each.name, runtime, started.get(each.name)),
            )
            for each in runtime.allocation.experiments
        ],
    )


def _plan_and_start(
    name: str, runtime: Runtime, started: StartedExperiment | None
) -> dict[str, Any]:
    """Return the sealed plan of a started experiment, or the config's plan of one that is not."""
    sealed = started.planned if started is not None else None
    return {
        "planned": runtime.settings.planned.get(name, {}) if sealed is None else sealed,
        "started_ms": started and started.at_ms,
    }


def _count_failures(metrics: ServerMetrics, fingerprint: str, arm: str) -> int:
    return sum(
        times
        for (_, counted, counted_arm, _, _), times in metrics.failures.items()
        if (counted, counted_arm) == (fingerprint, arm)
    )


def _experiment(
    experiment: Experiment,
    fingerprint: str,
    holdout: float,
    metrics: ServerMetrics,
    by_arm: ByArm,
    **history: Any,
) -> ExperimentStatus:
    total = sum(arm.weight for arm in experiment.arms)
    entered = {arm.name: metrics.listeners[fingerprint, arm.name] for arm in experiment.arms}
    listeners = sum(entered.values())
    arms = []
    for arm in experiment.arms:
        arms.append(
            ArmStatus(
                name=arm.name,
                strategy=arm.strategy,
                weight=arm.weight,
                planned_share=arm.weight / total,
                listeners=entered[arm.name],
                seen_share=entered[arm.name] / listeners if listeners else None,
                failures=_count_failures(metrics, fingerprint, arm.name),
                **_sum_up(by_arm[experiment.name, fingerprint, arm.name]),
            )
        )
    start, end = experiment.slots
    definition = {**experiment.to_dict(), "arms": arms}
    return ExperimentStatus(
        **definition,
        digest=experiment.digest,
        **history,
        planned_share=(1 - holdout) * (end - start) / SLOTS * experiment.traffic,
        listeners=listeners,
        requests=sum(arm.requests for arm in arms),
    )


def _sum_up(answered: list[tuple[Labels, LatencyHistogram]]) -> dict[str, Any]:
    """Sum up the answers of an arm."""
    together = LatencyHistogram()
    by: Counter[str] = Counter()
    fallen_back = 0
    for labels, answers in answered:
        together += answers
        by[labels.answered_by] += answers.count
        fallen_back += answers.count if labels.depth > 0 else 0
    return {
        "requests": together.count,
        "answered_by": dict(by.most_common()),
        "fallback_share": fallen_back / together.count if together.count else None,
        "mean_s": together.mean_s,
        "p99_s": together.quantile_s(0.99),
    }
