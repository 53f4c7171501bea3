"""Snapshots of metrics: all counts go through JSON, and those of two processes add up."""

import json

from engine.metrics import Labels, LatencyHistogram, ServerMetrics
from engine.metrics_snapshot import add_snapshot, snapshot_of
from engine.prometheus import prometheus_text


def counted() -> ServerMetrics:
    metrics = ServerMetrics()
    labels = Labels("taste", "f1", "C", True, "liked", "popular", 1, False)
    answers = metrics.answers[labels] = LatencyHistogram()
    for latency_s in (0.0001, 0.5):
        answers.add(latency_s)
    metrics.count_entry("f1", "C")
    metrics.count_refusal("invalid")
    metrics.clients["web"] = 3
    metrics.failures["taste", "f1", "C", "liked", "ValueError"] += 2
    metrics.degraded["taste", "C"] += 4
    metrics.times_to_propose("liked").append(0.002)
    return metrics


def test_every_count_is_in_a_snapshot() -> None:
    inner = {"_since_fold", "_times"}  # times that `proposals` folds into its histograms
    counts = {name.removeprefix("_") for name in vars(ServerMetrics()).keys() - inner}
    counts -= {"fingerprints", "groups"}
    assert set(snapshot_of(counted())) == counts
    assert all(snapshot_of(counted()).values())


def test_snapshots_add_up() -> None:
    total, once = ServerMetrics(), counted()
    add_snapshot(total, json.loads(json.dumps(snapshot_of(once))))
    assert prometheus_text(total, 1) == prometheus_text(once, 1)
    assert total.listeners == once.listeners
    add_snapshot(total, snapshot_of(once))
    (answers,) = total.answers.values()
    assert (answers.count, answers.seconds, sum(answers.buckets)) == (4, 1.0002, 4)
    assert (total.refusals, dict(total.clients)) == ({"invalid": 2}, {"web": 6})
    assert total.degraded == {("taste", "C"): 8}
