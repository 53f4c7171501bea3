"""Off-policy evaluation: replay a log, and ask each target strategy at each logged decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from analysis.off_policy.estimators import (
    Evaluation,
    Ints,
    RewardModel,
    WeightedDecisions,
    encode,
    evaluate,
)
from analysis.off_policy.logged_rewards import LoggedRewards, logged_rewards
from analysis.statistics.sample_moments import Values
from audit.archived_runtimes import runtimes_by_digest
from audit.replay import Replayer
from audit.replay_processes import ReplayJob
from audit.replay_result import ReplayResult
from audit.target_policy import TargetPolicy
from core.catalog import UNKNOWN
from core.draw import FinalDraw
from core.errors import InputError
from core.listener import History
from core.progress import Progress
from engine.runtime import Runtime, load_runtime
from engine.settings.loading import load_settings
from events.event_files import find_event_files
from events.merge import merge_events
from events.reader import open_log
from events.spark_session import SparkOptions


@dataclass(frozen=True, slots=True)
class OffPolicyResult:
    """Evaluations of target strategies on one log.

    Attributes:
        evaluations: Name of a strategy -> its evaluation.
        left_out: Reason -> number of decisions that no evaluation counts.
        replay: The replay of the log.
    """

    evaluations: Mapping[str, Evaluation]
    left_out: Mapping[str, int]
    replay: ReplayResult


@dataclass(frozen=True, slots=True)
class SparkTargets:
    """The target strategies as executors build them, for a replay on Spark.

    Attributes:
        options: Options of Spark.
        config: The config that has the strategies, at the same path on every machine.
        strategies: Their names.
        draw: Draw at the end of their chains.
    """

    options: SparkOptions
    config: Path
    strategies: Sequence[str]
    draw: FinalDraw | None = None

    def build(self) -> list[TargetPolicy]:
        """Build the strategies."""
        runtime = _load_once(self.config)
        return [TargetPolicy(runtime, name, self.draw) for name in self.strategies]


@lru_cache(maxsize=1)
def _load_once(config: Path) -> Runtime:
    """Load a config, which stays in an executor's process for its next partitions."""
    return load_runtime(load_settings(config))


def evaluate_policies(
    logs: Sequence[Path],
    targets: Sequence[TargetPolicy],
    snapshots: Mapping[str, Path],
    first: bool,
    arm: str | None,
    progress: Progress,
    spark: SparkTargets | None = None,
) -> OffPolicyResult:
    """Estimate the reward of strategies on the requests of a log.

    Args:
        logs: Event files or folders.
        targets: The strategies.
        snapshots: Digest -> the server's copy of a config that decided events of the log.
        first: Count only the first decision of each session.
        arm: Count only the decisions of this arm, EXPERIMENT=ARM; None counts all.
        progress: Gets the progress of reading and of the replay.
        spark: The same strategies, to replay on Spark.

    Raises:
        InputError: A file is compacted, the arm is unknown, or no decision can be counted.
    """
    sources = find_event_files(logs)
    for source in sources:
        if source.packing == "parquet":
            raise InputError.one(
                str(source.path),
                "must be an event file, is compacted and has no exact lines. Name the event files "
                "it was made of",
            )
    options = None if spark is None else spark.options
    with open_log(logs, progress=progress, spark=options) as log:
        rewards = logged_rewards(log, first, _read_arm(arm, log.experiments()))
    recorder = PolicyRecorder(targets, rewards)
    replayed = _replay(ReplayJob(sources, snapshots), recorder, progress, spark)
    evaluations = {
        target.name: evaluate(recorder.decisions(number)) for number, target in enumerate(targets)
    }
    lost = int((~recorder.reached).sum())
    left_out = rewards.left_out | ({"not replayed, or replayed differently": lost} if lost else {})
    return OffPolicyResult(evaluations, left_out, replayed)


def _read_arm(given: str | None, known: Mapping[str, Sequence[str]]) -> tuple[str, str] | None:
    if given is None:
        return None
    experiment, _, name = given.partition("=")
    if name not in known.get(experiment, ()):
        arms = ", ".join(f"{e}={a}" for e, arms in known.items() for a in arms) or "none"
        raise InputError.one(
            "--arm", f"must be EXPERIMENT=ARM of the log, got '{given}'. Known: {arms}"
        )
    return experiment, name


def _replay(
    job: ReplayJob, recorder: "PolicyRecorder", progress: Progress, spark: SparkTargets | None
) -> ReplayResult:
    if spark is not None:
        from audit.replay_on_spark import replay_on_spark

        make = _MakeRecorder(spark, recorder.rewards)
        run = replay_on_spark(job, spark.options, progress, make)
        result = run.result
        for notes in run.notes:
            recorder.add(*notes)
    else:
        replayer = Replayer(runtimes_by_digest(job.snapshots, None), watch=recorder.watch)
        progress.start("replaying", sum(source.size for source in job.sources))
        for event, where in merge_events(job.sources, replayer.result.skip, progress):
            replayer.take(event, where)
        result = replayer.finish()
    if not recorder.reached.any():
        raise InputError.one(
            "LOG", "must be replayable, no decision is. `segue replay` on this log says why"
        )
    return result


@dataclass(frozen=True, slots=True)
class _MakeRecorder:
    """Makes the recorder of a partition, on its executor."""

    targets: SparkTargets
    rewards: LoggedRewards

    def __call__(self) -> "PolicyRecorder":
        return PolicyRecorder(self.targets.build(), self.rewards)


class PolicyRecorder:
    """A recorder of the tracks that the target strategies would play at each replayed decision.

    Args:
        targets: The strategies.
        rewards: The decisions that count.
    """

    def __init__(self, targets: Sequence[TargetPolicy], rewards: LoggedRewards) -> None:
        self.targets = targets
        self.rewards = rewards
        catalog = targets[0].catalog
        index = {str(track): place for place, track in enumerate(catalog.ids)}
        self.tracks = np.array([index.get(t, UNKNOWN) for t in rewards.tracks], dtype=np.int64)
        self.model = RewardModel(self.tracks, rewards.rewards, rewards.listeners, len(catalog))
        self.reached = np.zeros(len(self.tracks), dtype=np.bool_)
        self.propensities = np.zeros((len(targets), len(self.tracks)))
        self.v_hat = np.zeros((len(targets), len(self.tracks)))

    def watch(self, event: Any, history: History) -> None:
        """Note the track that each target would play in place of a logged decision."""
        place = self.rewards.decisions.get(event["decision"])
        if place is None:
            return
        predicted = self.model.predict_all(int(self.rewards.listeners[place]))
        self.reached[place] = True
        for number, target in enumerate(self.targets):
            candidates = target.candidates(history, event)
            # A strategy that abstains plays nothing: its propensity and its value stay 0.
            if candidates is not None:
                track = event["recommendation"]
                self.propensities[number, place] = target.propensity_of(candidates, track)
                self.v_hat[number, place] = candidates.expected(predicted)

    def notes(self) -> tuple[Ints, Values, Values]:
        """Give what was recorded: the places of decisions, and two numbers of each target."""
        places = np.flatnonzero(self.reached)
        return places, self.propensities[:, places], self.v_hat[:, places]

    def add(self, places: Ints, propensities: Values, v_hat: Values) -> None:
        """Take over what the recorder of a partition noted."""
        self.reached[places] = True
        self.propensities[:, places] = propensities
        self.v_hat[:, places] = v_hat

    def decisions(self, number: int) -> WeightedDecisions:
        """The replayed decisions, weighted by one target."""
        rewards, kept = self.rewards, self.reached
        return WeightedDecisions(
            encode([str(each) for each in rewards.listeners[kept]]),
            rewards.rewards[kept],
            rewards.propensities[kept],
            self.propensities[number, kept],
            self.model.predict(self.tracks, rewards.listeners)[kept],
            self.v_hat[number, kept],
        )
