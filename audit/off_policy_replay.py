"""Off-policy evaluation: replay a log, and ask each target strategy at each logged decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from analysis.off_policy.estimators import (
    Evaluation,
    RewardModel,
    WeightedDecisions,
    encode,
    evaluate,
)
from analysis.off_policy.logged_rewards import LoggedRewards, logged_rewards
from audit.archived_runtimes import runtimes_by_digest
from audit.replay import Replayer
from audit.replay_result import ReplayResult
from audit.target_policy import TargetPolicy
from core.catalog import UNKNOWN
from core.errors import InputError
from core.listener import History
from core.progress import Progress
from events.event_files import EventFile, find_event_files
from events.merge import merge_events
from events.reader import open_log


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


def evaluate_policies(
    logs: Sequence[Path],
    targets: Sequence[TargetPolicy],
    snapshots: Mapping[str, Path],
    first: bool,
    arm: str | None,
    progress: Progress,
) -> OffPolicyResult:
    """Estimate the reward of strategies on the requests of a log.

    Args:
        logs: Event files or folders.
        targets: The strategies.
        snapshots: Digest -> the server's copy of a config that decided events of the log.
        first: Count only the first decision of each session.
        arm: Count only the decisions of this arm, EXPERIMENT=ARM; None counts all.
        progress: Gets the progress of reading and of the replay.

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
    with open_log(logs, progress=progress) as log:
        rewards = logged_rewards(log, first, _read_arm(arm, log.experiments()))
    recorder = PolicyRecorder(targets, rewards)
    replayed = _replay(sources, snapshots, recorder, progress)
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
    sources: Sequence[EventFile],
    snapshots: Mapping[str, Path],
    recorder: "PolicyRecorder",
    progress: Progress,
) -> ReplayResult:
    replayer = Replayer(runtimes_by_digest(snapshots, None), watch=recorder.watch)
    progress.start("replaying", sum(source.size for source in sources))
    for event, where in merge_events(sources, replayer.result.skip, progress):
        replayer.take(event, where)
    if not recorder.reached.any():
        raise InputError.one(
            "LOG", "must be replayable, no decision is. `segue replay` on this log says why"
        )
    return replayer.finish()


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
