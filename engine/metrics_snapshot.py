"""Snapshots of server metrics as JSON values, so that the counts of several processes add up."""

from collections.abc import Mapping
from typing import Any

from engine.metrics import Labels, LatencyHistogram, ServerMetrics

_BY_NAME = ("refusals", "clients")
"""Counts by one name."""
_BY_LABELS = ("listeners", "failures", "degraded")
"""Counts by several labels."""


def snapshot_of(metrics: ServerMetrics) -> dict[str, Any]:
    """Give the counts as JSON values."""
    return {
        "answers": [
            [*labels, answers.count, answers.seconds, answers.buckets]
            for labels, answers in metrics.answers.items()
        ],
        "proposals": [
            [strategy, times.count, times.seconds, times.buckets]
            for strategy, times in metrics.proposals.items()
        ],
        **{name: getattr(metrics, name) for name in _BY_NAME},
        **{
            name: [[*labels, times] for labels, times in getattr(metrics, name).items()]
            for name in _BY_LABELS
        },
    }


def add_snapshot(total: ServerMetrics, counted: Mapping[str, Any]) -> None:
    """Add the counts of a snapshot to a total."""
    for *labels, count, seconds, buckets in counted["answers"]:
        answers = total.answers.setdefault(Labels(*labels), LatencyHistogram())
        _add(answers, count, seconds, buckets)
    for strategy, count, seconds, buckets in counted["proposals"]:
        times = total.proposals.setdefault(strategy, LatencyHistogram())
        _add(times, count, seconds, buckets)
    for name in _BY_NAME:
        counts = getattr(total, name)
        for key, times in counted[name].items():
            counts[key] = counts.get(key, 0) + times
    for name in _BY_LABELS:
        by_labels = getattr(total, name)
        for *labels, times in counted[name]:
            by_labels[tuple(labels)] += times


def _add(total: LatencyHistogram, count: int, seconds: float, buckets: list[int]) -> None:
    total.count += count
    total.seconds += seconds
    total.buckets = [one + two for one, two in zip(total.buckets, buckets, strict=True)]
