"""What is running: every experiment as it is served, and what each arm did since the start."""

from collections import Counter
from typing import Any

from pydantic import BaseModel, Field

from core.allocation import SLOTS, Experiment
from engine.dispatcher import Dispatcher
from engine.experiment_ledger import ExperimentLedger, StartedExperiment
from engine.metrics import Labels, LatencyHistogram, ServerMetrics
from engine.runtime import Runtime


class ArmStatus(BaseModel):
    """An arm, and what it did in this process since the start; forced requests are left out."""

    name: str
    strategy: str | None = Field(description="What answers; null in a layer of labels.")
    weight: float
    planned_share: float = Field(description="Of the experiment's listeners, by weight.")
    listeners: int = Field(
        description="Distinct listeners that entered; one who was forgotten meanwhile counts again."
    )
    seen_share: float | None = Field(description="Of the listeners; null while there are none.")
    requests: int = Field(description="Answers.")
    answered_by: dict[str, int] = Field(description="Answers by whose candidates were drawn from.")
    fallback_share: float | None = Field(
        description="Share of the answers given after the arm's own strategy abstained."
    )
    mean_s: float | None = Field(
        description="Mean time from arrival to the event being written, s."
    )
    p99_s: float | None = Field(
        description="99th percentile of it, s; too high or low by a quarter at most."
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
    forced: dict[str, str] = Field(description="Testers: listener to arm.")
    started_ms: int | None = Field(
        description="When this version first had traffic, on any server that shares the folder of "
        "started experiments, Unix time in ms; null before."
    )
    planned: dict[str, Any] = Field(
        description="What `segue design` planned; after the start, the plan of the start."
    )
    planned_share: float = Field(
        description="Of all listeners, by holdout, slots and traffic; without targeting."
    )
    listeners: int
    requests: int
    arms: list[ArmStatus]


class Holdout(BaseModel):
    """Listeners that no experiment gets."""

    share: float
    salt: str


class ServerStatus(BaseModel):
    """What decides, and what it did in this process since the start."""

    config: str = Field(description="Fingerprint of all that decides, on every event.")
    since_ms: int = Field(description="When the process started, Unix time in ms.")
    default: str = Field(description="The strategy of who is in no experiment.")
    holdout: Holdout
    requests: int = Field(description="All answers, under whatever config.")
    forced_requests: int = Field(description="Those of them with an arm forced for testing.")
    experiments: list[ExperimentStatus]


def server_status(dispatcher: Dispatcher) -> ServerStatus:
    """What decides now, and how it fares.

    An experiment's counts go on through reloads for as long as its arms stay what they are; a new
    version begins at nought.
    """
    runtime, metrics = dispatcher.runtime, dispatcher.metrics
    kinds = list(metrics.by_labels())
    started = ExperimentLedger(runtime.settings.started_folder).started(
        runtime.allocation.experiments
    )
    return ServerStatus(
        config=runtime.digest,
        since_ms=dispatcher.since_ms,
        default=runtime.default,
        holdout=Holdout(**runtime.settings.holdout.model_dump()),
        requests=sum(answers.count for _, answers in kinds),
        forced_requests=sum(answers.count for kind, answers in kinds if kind.forced),
        experiments=[
            _experiment(
                each,
                runtime.fingerprints[each.name],
                runtime.settings.holdout.share,
                metrics,
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


def _experiment(
    experiment: Experiment, fingerprint: str, holdout: float, metrics: ServerMetrics, **told: Any
) -> ExperimentStatus:
    total = sum(arm.weight for arm in experiment.arms)
    entered = {arm.name: metrics.listeners[fingerprint, arm.name] for arm in experiment.arms}
    listeners = sum(entered.values())
    arms = []
    for arm in experiment.arms:
        answered = [
            (kind, answers)
            for kind, answers in metrics.by_labels()
            if not kind.forced
            and (experiment.name, arm.name) in kind.arms
            and metrics.fingerprints[kind.config].get(experiment.name) == fingerprint
        ]
        arms.append(
            ArmStatus(
                name=arm.name,
                strategy=arm.strategy,
                weight=arm.weight,
                planned_share=arm.weight / total,
                listeners=entered[arm.name],
                seen_share=entered[arm.name] / listeners if listeners else None,
                **_told(answered),
            )
        )
    start, end = experiment.slots
    definition = {**experiment.to_dict(), "arms": arms}
    return ExperimentStatus(
        **definition,
        digest=experiment.digest,
        **told,
        planned_share=(1 - holdout) * (end - start) / SLOTS * experiment.traffic,
        listeners=listeners,
        requests=sum(arm.requests for arm in arms),
    )


def _told(answered: list[tuple[Labels, LatencyHistogram]]) -> dict[str, Any]:
    """What the answers of an arm come to."""
    together = LatencyHistogram()
    by: Counter[str] = Counter()
    fallen_back = 0
    for kind, answers in answered:
        together += answers
        by[kind.answered_by] += answers.count
        fallen_back += answers.count if kind.depth > 0 else 0
    return {
        "requests": together.count,
        "answered_by": dict(by.most_common()),
        "fallback_share": fallen_back / together.count if together.count else None,
        "mean_s": together.mean_s,
        "p99_s": together.quantile_s(0.99),
    }
