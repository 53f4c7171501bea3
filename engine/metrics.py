"""Server metrics: answers, fallbacks and latencies since the server started, by arm."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Self

import numpy as np

from core.decision import Decision, FailedTurn, LoggedTurn
from engine.runtime import Runtime

STEPS_S = (
    *(
        float(f"{step}e{power}")
        for power in range(-6, 0)
        for step in (1, 1.25, 1.6, 2, 2.5, 3.2, 4, 5, 6.3, 8)
    ),
    1.0,
)
"""Upper bounds of the latency buckets, s: ten in a decade. One more bucket has no bound."""

_STEPS_S = np.array(STEPS_S)


class LatencyHistogram:
    """Number and latencies of the answers that have the same labels.

    Attributes:
        count: Answers.
        seconds: Sum of their latencies, s.
        buckets: Answers in each bucket of `STEPS_S`; the last one is open.
    """

    __slots__ = ("buckets", "count", "seconds")

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0
        self.buckets = [0] * (len(STEPS_S) + 1)

    def add(self, latency_s: float) -> None:
        """Count an answer."""
        self.count += 1
        self.seconds += latency_s
        self.buckets[bisect_left(STEPS_S, latency_s)] += 1

    def add_all(self, latencies_s: Sequence[float]) -> None:
        """Count many answers, at a tenth of the cost of `add` for each."""
        steps = np.searchsorted(_STEPS_S, latencies_s)
        inside = np.bincount(steps, minlength=len(self.buckets)).tolist()
        self.count += len(latencies_s)
        self.seconds += sum(latencies_s)
        self.buckets = [one + two for one, two in zip(self.buckets, inside, strict=True)]

    def __iadd__(self, other: "LatencyHistogram") -> Self:
        self.count += other.count
        self.seconds += other.seconds
        self.buckets = [one + two for one, two in zip(self.buckets, other.buckets, strict=True)]
        return self

    @property
    def mean_s(self) -> float | None:
        """Mean latency, s."""
        return self.seconds / self.count if self.count else None

    def quantile_s(self, share: float) -> float | None:
        """Return the latency that this share of the answers does not exceed, s.

        It is interpolated in its bucket, so its error is below the bucket's width, a quarter.
        Beyond the last bound it is that bound.
        """
        if not self.count:
            return None
        wanted = share * self.count
        below = 0
        for upper, lower, inside in zip(STEPS_S, (0.0, *STEPS_S), self.buckets, strict=False):
            if inside and below + inside >= wanted:
                return lower + (upper - lower) * (wanted - below) / inside
            below += inside
        return STEPS_S[-1]


class Labels(NamedTuple):
    """The labels that one group of answers has in common.

    An answer is in one group for each of the listener's experiments, not in one for the combination
    of them: five layers of four arms have 20 arms and 1,024 combinations.

    Attributes:
        experiment: One of the listener's experiments; empty if the listener is in none.
        fingerprint: The experiment's assignment fingerprint.
        arm: The listener's arm in it.
        first: Whether the experiment is the listener's first; summed over these groups alone, each
            answer counts once.
        strategy: Strategy that the arm, or `default`, names.
        answered_by: Strategy that proposed the track.
        depth: Number of strategies of the chain that abstained before it.
        forced: Whether an arm was forced for testing, or a person on the board took the turn.
    """

    experiment: str
    fingerprint: str
    arm: str
    first: bool
    strategy: str
    answered_by: str
    depth: int
    forced: bool


_COMBINATIONS = 4096
"""Most combinations of arms whose groups are remembered; beyond it they are looked up again."""

_FOLD_AFTER = 1024
"""Decisions after which the times to propose go into histograms; it takes 0.1 ms."""


class ServerMetrics:
    """Counts every decision once, and every listener once for each experiment.

    Attributes:
        answers: By labels.
        listeners: Listeners who entered, by the experiment's assignment fingerprint and arm.
        fingerprints: Experiment -> assignment fingerprint, of the config that decides now.
        refusals: Requests that were answered with an error, by its code.
        clients: Requests by the name of the client whose key they carry.
        failures: By experiment, its assignment fingerprint, arm, strategy that failed, error class.
        degraded: Turns that were decided without the shared state, by experiment and arm.
    """

    def __init__(self) -> None:
        self.answers: dict[Labels, LatencyHistogram] = {}
        self.listeners: Counter[tuple[str, str]] = Counter()
        self.fingerprints: Mapping[str, str] = {}
        self.clients: Counter[str] = Counter()
        self.refusals: dict[str, int] = {}
        self.failures: Counter[tuple[str, str, str, str, str]] = Counter()
        self.degraded: Counter[tuple[str, str]] = Counter()
        self._proposals: dict[str, LatencyHistogram] = {}
        self._times: dict[str, list[float]] = {}
        self._since_fold = 0
        self._groups: dict[tuple[Any, ...], tuple[LatencyHistogram, ...]] = {}

    def start_config(self, runtime: Runtime) -> None:
        """Count under a config from now on; an experiment that it does not change counts on."""
        self.fingerprints = runtime.fingerprints
        self._groups = {}

    def times_to_propose(self, strategy: str) -> list[float]:
        """Return the list that takes a strategy's times to propose, s; to append is the cheapest.

        `fold_times` puts the lists into histograms from time to time, and `proposals` does.
        """
        return self._times.setdefault(strategy, [])

    @property
    def proposals(self) -> dict[str, LatencyHistogram]:
        """Times to propose, by the member of a chain that was asked."""
        self._since_fold = 0
        for strategy, times in self._times.items():
            histogram = self._proposals.setdefault(strategy, LatencyHistogram())
            histogram.add_all(times)
            times.clear()
        return self._proposals

    def fold_times(self, decisions: int) -> None:
        """Fold the times to propose now and then; called once a batch, with its decisions."""
        self._since_fold += decisions
        if self._since_fold >= _FOLD_AFTER:
            _ = self.proposals

    def count_decision(self, decision: Decision) -> None:
        """Count a decision."""
        assignment = decision.assignment
        combination = (
            assignment.pairs,
            decision.strategy,
            decision.answered_by,
            decision.depth,
            assignment.left_out,
        )
        groups = self._groups.get(combination)
        if groups is None:
            groups = self._find_groups(*combination)
        latency_s = decision.latency_s
        step = bisect_left(STEPS_S, latency_s)
        for answers in groups:  # as `add` does, without a call for each group
            answers.count += 1
            answers.seconds += latency_s
            answers.buckets[step] += 1

    def _find_groups(
        self, pairs: tuple[tuple[str, str], ...], *rest: Any
    ) -> tuple[LatencyHistogram, ...]:
        """Find the groups of a combination of arms, and remember them."""
        found = []
        for place, (experiment, arm) in enumerate(pairs or (("", ""),)):
            fingerprint = self.fingerprints.get(experiment, "")
            labels = Labels(experiment, fingerprint, arm, place == 0, *rest)
            found.append(self.answers.setdefault(labels, LatencyHistogram()))
        if len(self._groups) >= _COMBINATIONS:
            self._groups.clear()
        groups = self._groups[pairs, *rest] = tuple(found)
        return groups

    def count_failures(self, turn: Decision | FailedTurn) -> None:
        """Count the strategies that failed in a turn, under each of the listener's arms.

        A tester's forced turns and those of a seat are left out, as everywhere.
        """
        if turn.assignment.left_out:
            return
        arms = turn.assignment.arms or {"": ""}
        for experiment, arm in arms.items():
            fingerprint = self.fingerprints.get(experiment, "")
            for each in turn.failed:
                self.failures[experiment, fingerprint, arm, each["strategy"], each["error"]] += 1

    def count_degraded(self, turn: LoggedTurn) -> None:
        """Count a turn that was decided without the shared state, under each of its arms."""
        arms = {} if turn.assignment.left_out else turn.assignment.arms
        self.degraded.update(arms.items() or [("", "")])

    def count_entry(self, fingerprint: str, arm: str) -> None:
        """Count a listener who enters an experiment."""
        self.listeners[fingerprint, arm] += 1

    def count_refusal(self, code: str) -> None:
        """Count a request that was answered with an error."""
        self.refusals[code] = self.refusals.get(code, 0) + 1
