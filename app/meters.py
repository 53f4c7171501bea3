"""What the server counts since it started: answers, fallbacks and latencies, by arm."""

from bisect import bisect_left
from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric

from core.decision import Decision

BOUNDS_S = (0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1)
"""Upper bounds of the latency histogram's buckets, in seconds; one more bucket is open."""


class Answers:
    """Answers of one strategy under one name: counts, and their latencies.

    Attributes:
        count: Answers.
        seconds: Sum of their latencies, s.
        buckets: How many fell into each bucket of `BOUNDS_S`, and beyond.
    """

    __slots__ = ("buckets", "count", "seconds")

    def __init__(self) -> None:
        self.count = 0
        self.seconds = 0.0
        self.buckets = [0] * (len(BOUNDS_S) + 1)

    def add(self, latency_s: float) -> None:
        """Count one answer."""
        self.count += 1
        self.seconds += latency_s
        self.buckets[bisect_left(BOUNDS_S, latency_s)] += 1


class Meters:
    """Counts every decision once, under (experiments and arms, strategy, answered_by, depth)."""

    def __init__(self) -> None:
        self.answers: dict[tuple[tuple[tuple[str, str], ...], str, str, int], Answers] = {}
        self.rejected: dict[str, int] = {}

    def decided(self, decision: Decision) -> None:
        """Count a decision."""
        key = (
            tuple(decision.assignment.arms.items()),
            decision.strategy,
            decision.answered_by,
            decision.depth,
        )
        answers = self.answers.get(key)
        if answers is None:
            answers = self.answers[key] = Answers()
        answers.add(decision.latency_s)

    def refused(self, code: str) -> None:
        """Count a request that was answered with an error."""
        self.rejected[code] = self.rejected.get(code, 0) + 1


class Collector:
    """Gives the meters to Prometheus when it asks, so that no request pays for labels."""

    def __init__(self, meters: Meters, listeners: Callable[[], int]) -> None:
        self._meters = meters
        self._listeners = listeners

    def collect(self) -> Iterator[Metric]:
        """The metrics as they stand now."""
        labels = ["experiments", "strategy", "answered_by", "depth"]
        count = CounterMetricFamily("segue_answers", "Answers since start.", labels=labels)
        latency = HistogramMetricFamily(
            "segue_answer_seconds", "From a request's arrival to its event on file.", labels=labels
        )
        for (arms, strategy, answered_by, depth), answers in self._meters.answers.items():
            named = ",".join(f"{experiment}={arm}" for experiment, arm in arms)
            values = [named, strategy, answered_by, str(depth)]
            count.add_metric(values, answers.count)
            running, buckets = 0, []
            for bound, inside in zip([*map(str, BOUNDS_S), "+Inf"], answers.buckets, strict=True):
                running += inside
                buckets.append((bound, float(running)))
            latency.add_metric(values, buckets, answers.seconds)
        yield count
        yield latency
        refused = CounterMetricFamily("segue_rejections", "Requests refused.", labels=["code"])
        for code, times in self._meters.rejected.items():
            refused.add_metric([code], times)
        yield refused
        yield GaugeMetricFamily("segue_listeners", "Listeners in memory.", value=self._listeners())
