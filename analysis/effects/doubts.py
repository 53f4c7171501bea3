"""Reasons to show no estimate of a metric: infinite values, or one listener who holds much."""

from analysis.checks.parity import Clustered, heterogeneity
from analysis.effects.listener_table import Column, ListenerTable
from analysis.effects.metrics import Metric
from analysis.effects.report_options import Pair

UNLIKE = 0.001
"""Shares of listeners without a value that differ between the arms by this p-value are named."""


def doubt_of(metric: Metric, column: Column, pair: Pair) -> str:
    """Say why the metric supports no claim about these two arms; empty if it may support one."""
    infinite = [column.infinite[arm] for arm in pair if arm in column.infinite]
    if infinite:
        return (
            f"not finite for {sum(count for count, _ in infinite):,} listeners, for instance "
            f"{min(user for _, user in infinite)}. Write `nullif(DIVISOR, 0)` in the metric, "
            "and they are left out"
        )
    held = []
    for arm in pair:
        if arm in column.heaviest:
            user, share = column.heaviest[arm]
            what = (metric.per or "").replace("_", " ")
            held.append(f"listener {user} holds {share:.0%} of {arm}'s {what}")
    return " and ".join(held)


def missing_values(listeners: ListenerTable, metric: Metric, column: Column) -> str:
    """Count the listeners with an ended session who have a value, if not all do; else empty."""
    found = dict(
        listeners.query("SELECT arm, count(*) FROM listener_table WHERE sessions > 0 GROUP BY arm")
    )
    there = {arm: int(found.get(arm, 0)) for arm in listeners.arms}
    known = {arm: column.ended[arm] for arm in listeners.arms}
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
