"""Policy comparison: does a log say that one strategy would earn less than the one that serves?

A part of the listeners is replayed, so that a long log takes no longer than a short one. Only late
decisions count, from which neither strategy has learnt.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from zlib import crc32

from analysis.off_policy.estimators import Estimate, Evaluation, evaluate, paired_difference
from analysis.off_policy.logged_rewards import logged_rewards
from audit.archived_runtimes import runtimes_by_digest
from audit.off_policy_replay import PolicyRecorder
from audit.replay import Replayer
from audit.target_policy import TargetPolicy
from core.errors import InputError
from core.progress import SILENT, Progress
from events.event_files import find_event_files
from events.merge import merge_events
from events.reader import open_log

DECISIONS = 6_000
"""About so many late decisions are estimated: the listeners are thinned out to those who have them.
To replay a decision and to ask two strategies takes 0.3 ms."""


@dataclass(frozen=True, slots=True)
class PolicyComparison:
    """An estimate of what a treatment would earn, less what the control earns.

    Attributes:
        estimate: Mean reward of a decision under the treatment, and its difference to the control.
        control: Evaluation of the control.
        treatment: Evaluation of the treatment.
    """

    estimate: Estimate
    control: Evaluation
    treatment: Evaluation

    @property
    def doubts(self) -> tuple[str, ...]:
        """Reasons why the log does not support the estimate; empty if it does."""
        found = [each.warnings for each in (self.control, self.treatment) if each.withheld]
        return tuple(dict.fromkeys(warning for warnings in found for warning in warnings))

    @property
    def lift(self) -> tuple[float, float, float]:
        """The difference with its interval, relative to the control: estimate, low, high."""
        control = self.estimate.mean - self.estimate.difference
        found = self.estimate
        return (
            found.difference / control,
            found.difference_low / control,
            found.difference_high / control,
        )


def compare_policies(
    logs: Sequence[Path],
    control: TargetPolicy,
    treatment: TargetPolicy,
    snapshots: Mapping[str, Path],
    since_ms: int | None = None,
    progress: Progress = SILENT,
) -> PolicyComparison:
    """Estimate what two strategies would earn on the same late decisions of a log.

    Args:
        logs: Event files or folders.
        control: The strategy that serves.
        treatment: The strategy that shall serve.
        snapshots: Digest -> snapshot of a config that decided events of the log.
        since_ms: Only sessions that began then or later count, Unix time in ms; the earlier ones
            are replayed for the listeners' histories.
        progress: Shows the work.

    Raises:
        InputError: No decision can be counted.
    """
    with open_log(logs, since_ms=since_ms, progress=progress) as log:
        rewards = logged_rewards(log)
    recorder = PolicyRecorder((control, treatment), rewards)
    replayer = Replayer(runtimes_by_digest(snapshots, None), watch=recorder.watch)
    part = max(1, round(len(rewards.rewards) / DECISIONS))
    sources = find_event_files(logs)
    progress.start("estimating", sum(source.size for source in sources))
    for event, where in merge_events(sources, replayer.result.skip, progress):
        if crc32(str(event.get("user")).encode()) % part == 0:
            replayer.take(event, where)
    replayer.finish()
    if not recorder.reached.any():
        raise InputError.one(
            ", ".join(map(str, logs)),
            "must be replayable, no late decision is. `segue replay` on this log says why",
        )
    before, after = recorder.decisions(0), recorder.decisions(1)
    return PolicyComparison(paired_difference(before, after), evaluate(before), evaluate(after))
