"""The metrics in Prometheus' form, made at each scrape, so that no request pays for them."""

from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import accumulate

from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.metrics_core import Metric

from engine.metrics import STEPS_S, Labels, LatencyHistogram, ServerMetrics

BOUNDS_S = (0.00001, 0.00002, 0.00005, 0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.05, 0.1)
"""The bounds among them that Prometheus gets."""

CONTENT_TYPE = CONTENT_TYPE_LATEST
Counted = Iterable[tuple[tuple[str, ...], LatencyHistogram]]


def prometheus_text(metrics: ServerMetrics, listeners: int | None) -> bytes:
    """Return the metrics as Prometheus reads them.

    Args:
        metrics: What the server counted.
        listeners: Listeners in memory; None if they are elsewhere.
    """
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Collector(metrics, listeners))
    return generate_latest(registry)


class _Collector:
    """The families of the metrics. The versions of an experiment are added up."""

    def __init__(self, metrics: ServerMetrics, listeners: int | None) -> None:
        self._metrics = metrics
        self._listeners = listeners

    def collect(self) -> Iterator[Metric]:
        """Return the families."""
        yield from self._answers()
        yield from self._arms()
        refusals = CounterMetricFamily("segue_rejections", "Requests refused.", labels=["code"])
        for code, times in self._metrics.refusals.items():
            refusals.add_metric([code], times)
        yield refusals
        if self._metrics.clients:
            yield self._clients()
        yield self._failures()
        yield self._degraded()
        yield _histogram(
            "segue_propose_seconds",
            "The time that a member of a chain took to propose, with what it uses.",
            ["strategy"],
            {(name,): times for name, times in self._metrics.proposals.items() if times.count},
        )
        if self._listeners is not None:
            known = self._listeners
            yield GaugeMetricFamily("segue_listeners", "Listeners in memory.", value=known)

    def _degraded(self) -> Metric:
        degraded = CounterMetricFamily(
            "segue_degraded_turns",
            "Turns decided without the shared state, in each arm of the listener.",
            labels=["experiment", "arm"],
        )
        for labels, times in self._metrics.degraded.items():
            degraded.add_metric(labels, times)
        return degraded

    def _answers(self) -> Iterator[Metric]:
        """Count each answer once."""
        labels = ["strategy", "answered_by", "depth", "forced"]
        summed = _sum(
            ((each.strategy, each.answered_by, str(each.depth), _flag(each.forced)), answers)
            for each, answers in self._metrics.answers.items()
            if each.first
        )
        yield _counter("segue_answers", "Answers since start.", labels, summed)
        yield _histogram(
            "segue_answer_seconds",
            "From a request's arrival to its event on file.",
            labels,
            summed,
        )

    def _arms(self) -> Iterator[Metric]:
        """Count each answer once for each of the listener's experiments."""
        arms = [each for each in self._metrics.answers.items() if each[0].experiment]
        yield _counter(
            "segue_arm_answers",
            "Answers since start, in each arm of the listener.",
            ["experiment", "arm", "answered_by", "depth", "forced"],
            _sum(
                (
                    (*_arm(each), each.answered_by, str(each.depth), _flag(each.forced)),
                    answers,
                )
                for each, answers in arms
            ),
        )
        yield _histogram(
            "segue_arm_answer_seconds",
            "The same time by arm, without forced requests.",
            ["experiment", "arm"],
            _sum((_arm(each), answers) for each, answers in arms if not each.forced),
        )

    def _clients(self) -> Metric:
        clients = CounterMetricFamily(
            "segue_client_requests",
            "Requests by the client whose key they carry.",
            labels=["client"],
        )
        for name, times in self._metrics.clients.items():
            clients.add_metric([name], times)
        return clients

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


def _arm(labels: Labels) -> tuple[str, str]:
    return labels.experiment, labels.arm


def _flag(value: bool) -> str:
    return str(value).lower()


def _sum(groups: Counted) -> dict[tuple[str, ...], LatencyHistogram]:
    """Add up the groups of the same labels."""
    summed: dict[tuple[str, ...], LatencyHistogram] = {}
    for labels, answers in groups:
        summed.setdefault(labels, LatencyHistogram()).__iadd__(answers)
    return summed


def _counter(
    name: str, text: str, labels: list[str], summed: dict[tuple[str, ...], LatencyHistogram]
) -> Metric:
    family = CounterMetricFamily(name, text, labels=labels)
    for values, answers in summed.items():
        family.add_metric(values, answers.count)
    return family


def _histogram(
    name: str, text: str, labels: list[str], summed: dict[tuple[str, ...], LatencyHistogram]
) -> Metric:
    family = HistogramMetricFamily(name, text, labels=labels)
    for values, answers in summed.items():
        family.add_metric(values, _buckets(answers), answers.seconds)
    return family
