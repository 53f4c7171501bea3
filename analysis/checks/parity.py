"""Checks of parity: what no treatment should change must be equal in all arms.

The arms are compared by the ratio of two sums over listeners, for instance unfinished sessions over
sessions. Listeners were randomised, so the variance is that between listeners.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from scipy import stats

from analysis.checks.context import CheckContext
from analysis.checks.result import CheckResult, Status
from events.queries import read_query

SUMS = ", ".join(
    ["count(*)"]
    + [f"CAST(sum({term}) AS DOUBLE)" for term in ("x", "y", "x * x", "x * y", "y * y")]
)
"""The columns of `Clustered`, from a table with one row for each listener."""
TOO_FEW_ARMS = "fewer than two arms to compare"
ROUNDING = 1e-12
"""A sum of squares below this share of its terms is their rounding."""
PAUSES = 20
"""A session counts as abandoned after so many times the usual pause between turns."""
SHORTEST_MS = 1000
"""A session counts as abandoned after this time at the earliest."""


@dataclass(frozen=True, slots=True)
class Clustered:
    """Sums over the listeners of a group, enough for a ratio and its standard error.

    Attributes:
        name: Name of the group.
        n: Listeners.
        x, y: Sums of the numerator and of the denominator.
        xx, xy, yy: Sums of their products.
    """

    name: str
    n: int
    x: float
    y: float
    xx: float
    xy: float
    yy: float

    @property
    def ratio(self) -> float:
        """Sum of x over sum of y; 0 if y is 0."""
        return float(self.x) / float(self.y) if self.y else 0.0

    @property
    def variance(self) -> float:
        """Variance of the ratio, by the delta method: that of x - ratio * y (Deng et al.,
        "Applying the Delta Method in Metric Analytics", KDD 2018)."""  # noqa: D209
        if self.n < 2 or not self.y:
            return 0.0
        r, n = self.ratio, self.n
        # The mean of x - r y is 0 by construction.
        squares = float(self.xx) - 2 * r * float(self.xy) + r * r * float(self.yy)
        if squares <= ROUNDING * (float(self.xx) + r * r * float(self.yy)):
            return 0.0
        return squares / (n - 1) * n / float(self.y) ** 2


def comparable(groups: Sequence[Clustered]) -> list[Clustered]:
    """The groups whose ratio has a variance: a single listener has none."""
    return [group for group in groups if group.y and group.n > 1]


def heterogeneity(groups: Sequence[Clustered]) -> float:
    """p-value of equal ratios: Cochran's Q, a chi-square; 1.0 for fewer than two groups."""
    groups = comparable(groups)
    if len(groups) < 2:
        return 1.0
    if len({group.ratio for group in groups}) == 1:
        return 1.0
    groups = [_smooth(group) for group in groups]
    weights = [1 / group.variance for group in groups]
    centre = sum(w * g.ratio for w, g in zip(weights, groups, strict=True)) / sum(weights)
    statistic = sum(w * (g.ratio - centre) ** 2 for w, g in zip(weights, groups, strict=True))
    return float(stats.chi2.sf(statistic, len(groups) - 1))


def _smooth(group: Clustered) -> Clustered:
    """Give a group without variance the variance of one mean listener whose x differs by one.

    Its sum of squares is at least 1 - 1 / n, whatever the y of the listeners.
    """
    if group.variance > 0:
        return group
    x, y = group.x / group.n, group.y / group.n
    one = 1.0 if x <= 0 else -1.0
    return replace(group, x=group.x + one, xx=group.xx + 2 * one * x + 1, xy=group.xy + one * y)


def check_unfinished(context: CheckContext, experiment: str) -> CheckResult:
    """Check that sessions end with `last` equally often in every arm."""
    groups = sum_by_arm(
        context,
        read_query("analysis", "unfinished_sessions"),
        {"experiment": experiment, "before_ms": abandoned_before(context)},
    )
    return compare_shares(
        context, "unfinished", "Do sessions end with `last` equally often in every arm?", groups,
        "One arm loses the ends of its sessions more often. Sessions without an end are cut short "
        "or left out, so the arms are not compared on the same listening.",
        nobody="no session is over",
    )  # fmt: skip


def check_outcomes(context: CheckContext, experiment: str) -> CheckResult:
    """Check that equally many listeners have an outcome in every arm."""
    groups = sum_by_arm(
        context,
        read_query("analysis", "listeners_without_outcome"),
        {"experiment": experiment, "before_ms": abandoned_before(context)},
    )
    return compare_shares(
        context, "outcomes", "Did equally many listeners report what they heard, in every arm?",
        groups, "In one arm, more listeners got tracks without reporting what they heard. Their "
        "listening is missing.",
        nobody="no session with a recommendation is old enough to be over",
    )  # fmt: skip


def check_events_per_listener(context: CheckContext, experiment: str) -> CheckResult:
    """Compare the events per listener; a treatment may change them, so this check only warns."""
    question = "Do listeners have equally many events in every arm?"
    groups = sum_by_arm(
        context,
        """SELECT arm, "user", events AS x, 1 AS y FROM first_seen
        WHERE experiment = $1 AND arms = 1""",
        [experiment],
    )
    if len(comparable(groups)) < 2:
        return CheckResult("events-per-listener", question, Status.NOT_MADE, TOO_FEW_ARMS)
    p = heterogeneity(groups)
    figure = ", ".join(f"{group.name} {group.ratio:.2f}" for group in groups)
    numbers = {"p": p, **{group.name: group.ratio for group in groups}}
    if p < context.thresholds.alarm_p:
        return CheckResult(
            "events-per-listener", question, Status.WARNING, figure,
            "Listeners make more events with a treatment they like, so this may be the effect "
            "itself. Lines that one arm logs twice, or not at all, look the same.",
            numbers,
        )  # fmt: skip
    return CheckResult("events-per-listener", question, Status.PASSED, figure, numbers=numbers)


def sum_by_arm(
    context: CheckContext, listeners: str, params: Sequence[Any] | Mapping[str, Any]
) -> list[Clustered]:
    """Sum a query that gives arm, user, x, y by arm."""
    return sum_by(context, "arm", listeners, params)


def sum_by(
    context: CheckContext, group: str, listeners: str, params: Sequence[Any] | Mapping[str, Any]
) -> list[Clustered]:
    """Sum a query that gives a group, user, x, y by group."""
    query = f"FROM ({listeners.rstrip().rstrip(';')}) GROUP BY {group} ORDER BY {group}"
    return [Clustered(*row) for row in context.query(f"SELECT {group}, {SUMS} {query}", params)]


def compare_shares(
    context: CheckContext,
    name: str,
    question: str,
    groups: Sequence[Clustered],
    explanation: str,
    nobody: str,
) -> CheckResult:
    """Compare a share between the arms.

    The alarm needs both: a p-value below `alarm_p`, and shares that differ by over `parity_gap`.

    Args:
        context: Where alarms begin.
        name: Of the check.
        question: Of the check.
        groups: The share by arm.
        explanation: What an alarm means.
        nobody: The figure where there is nothing to count.
    """
    p = heterogeneity(groups)
    ratios = [group.ratio for group in groups] or [0.0]
    figure = ", ".join(f"{group.name} {group.ratio:.2%}" for group in groups)
    numbers = {"p": p, **{group.name: group.ratio for group in groups}}
    if p < context.thresholds.alarm_p and max(ratios) - min(ratios) > context.thresholds.parity_gap:
        return CheckResult(name, question, Status.FAILED, figure, explanation, numbers)
    if max(ratios) > context.thresholds.fallback_share:
        return CheckResult(
            name, question, Status.WARNING, figure,
            "The arms are equal, but the share is so large that the rest may be unrepresentative.",
            numbers,
        )  # fmt: skip
    if len(comparable(groups)) < 2:
        why = TOO_FEW_ARMS if any(group.y for group in groups) else nobody
        return CheckResult(name, question, Status.NOT_MADE, why, numbers=numbers)
    return CheckResult(name, question, Status.PASSED, figure, numbers=numbers)


def abandoned_before(context: CheckContext) -> int:
    """A session whose last event is older than this, Unix time in ms, is over.

    The limit comes from the pauses in the log: half an hour is too long for a log of five minutes.
    """
    if context.abandoned_before is None:
        context.abandoned_before = _abandoned_before(context)
    return context.abandoned_before


def _abandoned_before(context: CheckContext) -> int:
    pause, end = context.query(
        """SELECT
            coalesce(CAST(percentile_disc(0.9) WITHIN GROUP (ORDER BY pause) AS BIGINT), 0),
            (SELECT end_ms FROM log_span)
        FROM steps"""
    )[0]
    return over_before(end, context.log.gap_s, pause)


def over_before(end_ms: int, gap_s: float, pause_ms: int) -> int:
    """The time before which a session's last event must be for the session to be over, in ms."""
    return int(end_ms - min(gap_s * 1000, max(SHORTEST_MS, PAUSES * pause_ms)))
