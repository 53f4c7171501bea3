"""Reasons to show no estimate of a metric: infinite values, or one listener who holds much."""

import numpy as np

from analysis.checks.parity import Clustered, heterogeneity
from analysis.effects.listener_table import Column, ListenerTable
from analysis.effects.metrics import Metric
from analysis.effects.report_options import Pair

UNLIKE = 0.001
"""Shares of listeners without a value that differ between the arms by this p-value are named."""


def doubt_of(listeners: ListenerTable, metric: Metric, column: Column, pair: Pair) -> str:
    """Say why the metric supports no claim about these two arms; empty if it may support one."""
    infinite = np.concatenate([column.infinite.get(arm, _NOBODY) for arm in pair])
    if len(infinite):
        return (
            f"not finite for {len(infinite):,} listeners, for instance "
            f"{listeners.name_of(int(infinite.min()))}. Write `nullif(DIVISOR, 0)` in the metric, "
            "and they are left out"
        )
    held = []
    for arm in pair:
        heaviest = column.heaviest(arm)
        if heaviest is not None:
            row, share = heaviest
            what = (metric.per or "").replace("_", " ")
            held.append(f"listener {listeners.name_of(row)} holds {share:.0%} of {arm}'s {what}")
    return " and ".join(held)


def missing_values(listeners: ListenerTable, metric: Metric, column: Column) -> str:
    """Count the listeners with an ended session who have a value, if not all do; else empty."""
    ended = listeners.numbers("sessions", "sessions") > 0
    there = {arm: int(ended[rows].sum()) for arm, rows in listeners.arm_of.items()}
    known = {arm: int(ended[rows].sum()) for arm, rows in column.rows.items()}
    if known == there:
        return ""
    counts = ", ".join(f"{arm} {known[arm]:,} of {there[arm]:,}" for arm in there)
    note = f"{metric.label}: listeners with a value are {counts}; the others are left out of it."
    without = {arm: there[arm] - known[arm] for arm in there}
    # A share of listeners: x is 0 or 1 and y is 1, so that the sums of squares are counts.
    p = heterogeneity([Clustered(arm, n, w, n, w, w, n) for (arm, n), w in zip(
        there.items(), without.values(), strict=True)])  # fmt: skip
    if p < UNLIKE:
        note += (
            f" Their share differs between the arms (p = {p:.2g}), so the metric compares unlike "
            "listeners."
        )
    return note


_NOBODY = np.empty(0, dtype=np.int64)
