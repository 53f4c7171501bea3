"""Server metrics: answers, fallbacks and latencies since the server started, by arm."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from typing import NamedTuple, Self

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from core.decision import Decision, FailedTurn
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

BOUNDS_S = (0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1)
"""The bounds among them that Prometheus gets."""


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

    Attributes:
        config: Digest of the config that decided.
        forced: Whether an arm was forced for testing.
        arms: The listener's experiments and arms.
        strategy: Strategy that the arm, or `default`, names.
        answered_by: Strategy that proposed the track.
        depth: Number of strategies of the chain that abstained before it.
    """

    config: str
    forced: bool
    arms: tuple[tuple[str, str], ...]
    strategy: str
    answered_by: str
    depth: int


class ServerMetrics:
    """Counts every decision once, and every listener once for each experiment.

    Attributes:
        answers: By labels.
        listeners: Listeners who entered, by the experiment's assignment fingerprint and arm.
        fingerprints: Config's digest -> experiment -> assignment fingerprint.
        refusals: Requests that were answered with an error, by its code.
        failures: By experiment, its assignment fingerprint, arm, strategy that failed, error class.
    """

    def __init__(self) -> None:
        self.answers: dict[
            tuple[str, bool, tuple[tuple[str, str], ...], str, str, int], LatencyHistogram
        ]
        self.answers = {}
        self.listeners: Counter[tuple[str, str]] = Counter()
        self.fingerprints: dict[str, Mapping[str, str]] = {}
        self.refusals: dict[str, int] = {}
        self.failures: Counter[tuple[str, str, str, str, str]] = Counter()

    def start_config(self, runtime: Runtime) -> None:
        """Count under a config from now on.

        Counts of earlier configs with the same experiments move to this config, so that a thousand
        reloads do not leave a thousand groups of answers.
        """
        self.fingerprints[runtime.digest] = runtime.fingerprints
        for labels, answers in list(self.by_labels()):
            before = self.fingerprints[labels.config]
            if labels.config != runtime.digest and all(
                before.get(name) == runtime.fingerprints.get(name) for name, _ in labels.arms
            ):
                moved = (runtime.digest, *labels[1:])
                self.answers.setdefault(moved, LatencyHistogram()).__iadd__(answers)
                del self.answers[labels]
        counted = {labels.config for labels, _ in self.by_labels()} | {runtime.digest}
        self.fingerprints = {digest: self.fingerprints[digest] for digest in counted}

    def count_decision(self, decision: Decision) -> None:
        """Count a decision."""
        assignment = decision.assignment
        # `by_labels` reads this tuple back as `Labels`; a plain tuple costs a third.
        labels = (
            decision.config,
            assignment.forced,
            assignment.pairs,
            decision.strategy,
            decision.answered_by,
            decision.depth,
        )
        answers = self.answers.get(labels)
        if answers is None:
            answers = self.answers[labels] = LatencyHistogram()
        answers.add(decision.latency_s)

    def count_failures(self, turn: Decision | FailedTurn) -> None:
        """Count the strategies that failed in a turn, under each of the listener's arms.

        A tester's forced turns are left out, as everywhere.
        """
        if turn.assignment.forced:
            return
        arms = turn.assignment.arms or {"": ""}
        for experiment, arm in arms.items():
            fingerprint = self.fingerprints[turn.config].get(experiment, "")
            for each in turn.failed:
                self.failures[experiment, fingerprint, arm, each["strategy"], each["error"]] += 1

    def count_entry(self, fingerprint: str, arm: str) -> None:
        """Count a listener who enters an experiment."""
        self.listeners[fingerprint, arm] += 1

    def count_refusal(self, code: str) -> None:
        """Count a request that was answered with an error."""
        self.refusals[code] = self.refusals.get(code, 0) + 1

    def by_labels(self) -> Iterator[tuple[Labels, LatencyHistogram]]:
        """Return every group of answers with its labels."""
        return ((Labels(*labels), answers) for labels, answers in self.answers.items())


class PrometheusCollector:
    """The metrics in the form of Prometheus, made at each scrape, so that no request pays."""

    def __init__(self, metrics: ServerMetrics, listeners: Callable[[], int]) -> None:
        self._metrics = metrics
        self._listeners = listeners

    def collect(self) -> Iterator[Metric]:
        """Return the metrics; answers that differ only in the config are added up."""
        labels = ["experiments", "strategy", "answered_by", "depth", "forced"]
        count = CounterMetricFamily("segue_answers", "Answers since start.", labels=labels)
        latency = HistogramMetricFamily(
            "segue_answer_seconds", "From a request's arrival to its event on file.", labels=labels
        )
        summed: dict[tuple[str, ...], LatencyHistogram] = {}
        for group, answers in self._metrics.by_labels():
            arms = ",".join(f"{experiment}={arm}" for experiment, arm in group.arms)
            forced = str(group.forced).lower()
            values = (arms, group.strategy, group.answered_by, str(group.depth), forced)
            summed.setdefault(values, LatencyHistogram()).__iadd__(answers)
        for key, answers in summed.items():
            count.add_metric(key, answers.count)
            latency.add_metric(key, _buckets(answers), answers.seconds)
        yield count
        yield latency
        refusals = CounterMetricFamily("segue_rejections", "Requests refused.", labels=["code"])
        for code, times in self._metrics.refusals.items():
            refusals.add_metric([code], times)
        yield refusals
        yield self._failures()
        yield GaugeMetricFamily("segue_listeners", "Listeners in memory.", value=self._listeners())

    def _failures(self) -> Metric:
        summed: Counter[tuple[str, str, str, str]] = Counter()
        for (experiment, _, arm, strategy, error), times in self._metrics.failures.items():
            summed[experiment, arm, strategy, error] += times
        failures = CounterMetricFamily(
            "segue_strategy_failures",
            "Strategies that raised, in each arm of the listener.",
            labels=["experiment", "arm", "strategy", "error"],
        )
        for labels, times in summed.items():
            failures.add_metric(labels, times)
        return failures


def _buckets(answers: LatencyHistogram) -> list[tuple[str, float]]:
    """Return Prometheus' buckets: how many answers took at most each bound."""
    at_most = dict(zip(STEPS_S, accumulate(answers.buckets), strict=False))
    return [*((str(bound), at_most[bound]) for bound in BOUNDS_S), ("+Inf", answers.count)]
