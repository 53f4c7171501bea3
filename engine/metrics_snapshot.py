"""Snapshots of server metrics as JSON values, so that the counts of several processes add up."""

from collections.abc import Mapping
from typing import Any

from engine.metrics import Labels, LatencyHistogram, ServerMetrics


def snapshot_of(metrics: ServerMetrics) -> dict[str, Any]:
    """Give the counts as JSON values."""
    return {
        "answers": [
            [*labels, answers.count, answers.seconds, answers.buckets]
            for labels, answers in metrics.answers.items()
        ],
        "listeners": _rows(metrics.listeners),
        "refusals": metrics.refusals,
        "failures": _rows(metrics.failures),
        "degraded": _rows(metrics.degraded),
    }


def add_snapshot(total: ServerMetrics, counted: Mapping[str, Any]) -> None:
    """Add the counts of a snapshot to a total."""
    for *labels, count, seconds, buckets in counted["answers"]:
        answers = total.answers.setdefault(Labels(*labels), LatencyHistogram())
        answers.count += count
        answers.seconds += seconds
        answers.buckets = [one + two for one, two in zip(answers.buckets, buckets, strict=True)]
    for fingerprint, arm, times in counted["listeners"]:
        total.listeners[fingerprint, arm] += times
    for code, times in counted["refusals"].items():
        total.refusals[code] = total.refusals.get(code, 0) + times
    for experiment, fingerprint, arm, strategy, error, times in counted["failures"]:
        total.failures[experiment, fingerprint, arm, strategy, error] += times
    for experiment, arm, times in counted["degraded"]:
        total.degraded[experiment, arm] += times


def _rows(counter: Any) -> list[list[Any]]:
    return [[*labels, times] for labels, times in counter.items()]
