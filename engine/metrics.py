"""What the server counts since it started: answers, fallbacks and latencies, by arm."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import NamedTuple, Self

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from core.decision import Decision
from engine.runtime import Runtime

STEPS_S = (
    *(
        float(f"{step}e{power}")
        for power in range(-6, 0)
        for step in (1, 1.25, 1.6, 2, 2.5, 3.2, 4, 5, 6.3, 8)
    ),
    1.0,
)
"""Upper bounds of the buckets that latencies are counted in, s: ten a decade, one more is open."""

BOUNDS_S = (0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1)
"""The bounds among them that Prometheus is told."""


class ArmLatency:
    """Answers of one kind: how many, and their latencies.

    Attributes:
        count: Answers.
        seconds: Sum of their latencies, s.
        buckets: How many fell into each bucket of `STEPS_S`, and beyond.
    """

    __slots__ = ("buckets", "count", "seconds")

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0
        self.buckets = [0] * (len(STEPS_S) + 1)

    def add(self, latency_s: float) -> None:
        """Count one answer."""
        self.count += 1
        self.seconds += latency_s
        self.buckets[bisect_left(STEPS_S, latency_s)] += 1

    def __iadd__(self, other: "ArmLatency") -> Self:
        self.count += other.count
        self.seconds += other.seconds
        self.buckets = [one + two for one, two in zip(self.buckets, other.buckets, strict=True)]
        return self

    @property
    def mean_s(self) -> float | None:
        """Mean latency, s."""
        return self.seconds / self.count if self.count else None

    def quantile_s(self, share: float) -> float | None:
        """The latency that this share of the answers did not exceed, s.

        Interpolated in its bucket, so off by less than the bucket's width, a quarter; beyond the
        last bound it is that bound.
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
    """What answers are told apart by.

    Attributes:
        config: Digest of the config that decided.
        forced: Whether an arm was forced for testing.
        arms: The listener's experiments and arms.
        strategy: What the arm, or `default`, names.
        answered_by: Whose candidates were drawn from.
        depth: How many strategies of the chain abstained before.
    """

    config: str
    forced: bool
    arms: tuple[tuple[str, str], ...]
    strategy: str
    answered_by: str
    depth: int


class ServerMetrics:
    """Counts every decision once, and every listener once for each experiment entered.

    Attributes:
        answers: By kind.
        listeners: How many entered, by lineage of the experiment, and arm.
        fingerprints: Of the experiments of each config that served, by its digest.
        rejected: Requests that were answered with an error, by its code.
    """

    def __init__(self) -> None:
        self.answers: dict[tuple[str, bool, tuple[tuple[str, str], ...], str, str, int], ArmLatency]
        self.answers = {}
        self.listeners: Counter[tuple[str, str]] = Counter()
        self.fingerprints: dict[str, Mapping[str, str]] = {}
        self.rejected: dict[str, int] = {}

    def began(self, runtime: Runtime) -> None:
        """Remember a config that is about to decide.

        What was counted under others is added to its own where it concerns the same experiments,
        so that a thousand reloads do not leave a thousand kinds of everything.
        """
        self.fingerprints[runtime.digest] = runtime.fingerprints
        for kind, answers in list(self.kinds()):
            before = self.fingerprints[kind.config]
            if kind.config != runtime.digest and all(
                before.get(name) == runtime.fingerprints.get(name) for name, _ in kind.arms
            ):
                moved = (runtime.digest, *kind[1:])
                self.answers.setdefault(moved, ArmLatency()).__iadd__(answers)
                del self.answers[kind]
        counted = {kind.config for kind, _ in self.kinds()} | {runtime.digest}
        self.fingerprints = {digest: self.fingerprints[digest] for digest in counted}

    def decided(self, decision: Decision) -> None:
        """Count a decision."""
        assignment = decision.assignment
        # A plain tuple equals the `Labels` that it is read back as, and costs a third.
        kind = (
            decision.config,
            assignment.forced,
            assignment.pairs,
            decision.strategy,
            decision.answered_by,
            decision.depth,
        )
        answers = self.answers.get(kind)
        if answers is None:
            answers = self.answers[kind] = ArmLatency()
        answers.add(decision.latency_s)

    def entered(self, lineage: str, arm: str) -> None:
        """Count a listener who is in an experiment for the first time."""
        self.listeners[lineage, arm] += 1

    def refused(self, code: str) -> None:
        """Count a request that was answered with an error."""
        self.rejected[code] = self.rejected.get(code, 0) + 1

    def kinds(self) -> Iterator[tuple[Labels, ArmLatency]]:
        """Every kind of answer, and the answers of it."""
        return ((Labels(*kind), answers) for kind, answers in self.answers.items())


class PrometheusCollector:
    """Gives the meters to Prometheus when it asks, so that no request pays for labels."""

    def __init__(self, metrics: ServerMetrics, listeners: Callable[[], int]) -> None:
        self._meters = metrics
        self._listeners = listeners

    def collect(self) -> Iterator[Metric]:
        """The metrics as they stand now; answers of one kind under several configs are added."""
        labels = ["experiments", "strategy", "answered_by", "depth", "forced"]
        count = CounterMetricFamily("segue_answers", "Answers since start.", labels=labels)
        latency = HistogramMetricFamily(
            "segue_answer_seconds", "From a request's arrival to its event on file.", labels=labels
        )
        summed: dict[tuple[str, ...], ArmLatency] = {}
        for kind, answers in self._meters.kinds():
            named = ",".join(f"{experiment}={arm}" for experiment, arm in kind.arms)
            forced = str(kind.forced).lower()
            values = (named, kind.strategy, kind.answered_by, str(kind.depth), forced)
            summed.setdefault(values, ArmLatency()).__iadd__(answers)
        for told, answers in summed.items():
            count.add_metric(told, answers.count)
            latency.add_metric(told, _told(answers), answers.seconds)
        yield count
        yield latency
        refused = CounterMetricFamily("segue_rejections", "Requests refused.", labels=["code"])
        for code, times in self._meters.rejected.items():
            refused.add_metric([code], times)
        yield refused
        yield GaugeMetricFamily("segue_listeners", "Listeners in memory.", value=self._listeners())


def _told(answers: ArmLatency) -> list[tuple[str, float]]:
    """The buckets that Prometheus is told: how many answers took at most each bound."""
    at_most = dict(zip(STEPS_S, accumulate(answers.buckets), strict=False))
    return [*((str(bound), at_most[bound]) for bound in BOUNDS_S), ("+Inf", answers.count)]
