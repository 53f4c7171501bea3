"""Gates on parity: what no treatment should change must be alike in all arms.

The arms are compared by the ratio of two sums over listeners, for instance unfinished sessions over
sessions. The listener was randomised, so the spread is taken between listeners.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy import stats

from analysis.checks.context import CheckContext
from analysis.checks.result import CheckResult, Status
from events.queries import read_query

SUMS = ", ".join(
    ["count(*)"]
    + [f"CAST(sum({term}) AS DOUBLE)" for term in ("x", "y", "x * x", "x * y", "y * y")]
)
"""What `Clustered` wants of a table with one row a listener."""
TOO_FEW_ARMS = "fewer than two arms to compare"
PAUSES = 20
"""A session that stays silent for so many times the usual pause between turns is given up."""


@dataclass(frozen=True, slots=True)
class Clustered:
    """Sums over the listeners of a group, enough for a ratio and its error.

    Attributes:
        name: Of the group.
        n: Listeners.
        x, y: Sums of what is counted, and of what it is a share of.
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
        """Sum of x over sum of y; 0 where there is nothing."""
        return float(self.x) / float(self.y) if self.y else 0.0

    @property
    def variance(self) -> float:
        """Of the ratio, by the delta method: that of x - ratio * y between listeners (Deng et al.,
        "Applying the Delta Method in Metric Analytics", KDD 2018)."""  # noqa: D209
        if self.n < 2 or not self.y:
            return 0.0
        r, n = self.ratio, self.n
        # The mean of x - r y is 0 by construction.
        squares = float(self.xx) - 2 * r * float(self.xy) + r * r * float(self.yy)
        return squares / (n - 1) * n / float(self.y) ** 2


def heterogeneity(groups: Sequence[Clustered]) -> float:
    """p-value of all ratios being the same: Cochran's Q, a chi-square; 1.0 for a single group."""
    # A single listener has no spread, so that nothing can be said of how sure its ratio is.
    groups = [group for group in groups if group.y and group.n > 1]
    if len(groups) < 2:
        return 1.0
    if not any(group.variance > 0 for group in groups):
        return 1.0 if len({group.ratio for group in groups}) == 1 else 0.0
    groups = [_smooth(group) for group in groups]
    weights = [1 / group.variance for group in groups]
    centre = sum(w * g.ratio for w, g in zip(weights, groups, strict=True)) / sum(weights)
    statistic = sum(w * (g.ratio - centre) ** 2 for w, g in zip(weights, groups, strict=True))
    return float(stats.chi2.sf(statistic, len(groups) - 1))


def _smooth(group: Clustered) -> Clustered:
    """A group without any spread gets that of one listener who did otherwise."""
    if group.variance > 0:
        return group
    one = 1.0 if group.x <= 0 else -1.0
    return Clustered(
        group.name, group.n, group.x + one, group.y, group.xx + one, group.xy + one, group.yy
    )


def check_unfinished(context: CheckContext, experiment: str) -> CheckResult:
    """Sessions end with `last` as often in every arm."""
    groups = _groups(
        context,
        read_query("analysis", "unfinished_sessions"),
        {"experiment": experiment, "before_ms": _abandoned_before(context)},
    )
    return _parity(
        context, "unfinished", "Do sessions end with `last` as often in every arm?", groups,
        "{:.2%}", "The ends of sessions are lost more often in one arm than in "
        "another. Sessions without an end are cut short or left out, so the arms are not "
        "compared on the same listening.",
    )  # fmt: skip


def check_outcomes(context: CheckContext, experiment: str) -> CheckResult:
    """As many listeners have an outcome in every arm."""
    groups = _groups(
        context,
        read_query("analysis", "listeners_without_outcome"),
        {"experiment": experiment, "before_ms": _abandoned_before(context)},
    )
    return _parity(
        context, "outcomes", "Did as many listeners tell what they heard, in every arm?", groups,
        "{:.2%}", "Listeners were given tracks, and nothing is known of what they "
        "heard, in one arm more often than in another: what they would have said is missing.",
    )  # fmt: skip


def check_events_per_listener(context: CheckContext, experiment: str) -> CheckResult:
    """How many events a listener has; a treatment may well change it, so this only warns."""
    question = "Do listeners have as many events in every arm?"
    groups = _groups(
        context,
        """SELECT arm, "user", events AS x, 1 AS y FROM first_seen
        WHERE experiment = $1 AND arms = 1""",
        [experiment],
    )
    if len(groups) < 2:
        return CheckResult("events-per-listener", question, Status.NOT_MADE, TOO_FEW_ARMS)
    p = heterogeneity(groups)
    figure = ", ".join(f"{group.name} {group.ratio:.2f}" for group in groups)
    numbers = {"p": p, **{group.name: group.ratio for group in groups}}
    if p < context.thresholds.alarm_p:
        return CheckResult(
            "events-per-listener", question, Status.WARNING, figure,
            "A treatment that is liked makes more events, so this may be the effect itself; lines "
            "that are logged twice or not at all in one arm would look the same.",
            numbers,
        )  # fmt: skip
    return CheckResult("events-per-listener", question, Status.PASSED, figure, numbers=numbers)


def check_latency(context: CheckContext, experiment: str) -> CheckResult:
    """A guardrail: an arm that answers late is judged for its lateness too."""
    question = "Do all arms answer as quickly?"
    rows = context.query(
        """SELECT a.arm, avg(e.latency_s), quantile_cont(e.latency_s, 0.99)
        FROM events AS e INNER JOIN assignments AS a ON e.experiments = a.experiments
        WHERE a.experiment = ? AND e.message = 'next' AND NOT e.forced AND e.latency_s IS NOT NULL
        GROUP BY a.arm ORDER BY a.arm""",
        [experiment],
    )
    if len(rows) < 2:
        return CheckResult("latency", question, Status.NOT_MADE, TOO_FEW_ARMS)
    numbers = {arm: {"mean_s": mean, "p99_s": p99} for arm, mean, p99 in rows}
    figure = "p99 " + ", ".join(f"{arm} {p99 * 1000:.2f} ms" for arm, _, p99 in rows)
    slowest, quickest = max(p99 for *_, p99 in rows), min(p99 for *_, p99 in rows)
    if slowest > 0.005 and slowest > context.thresholds.latency_ratio * quickest:
        return CheckResult(
            "latency", question, Status.WARNING, figure,
            "One arm is much slower than another; listeners may dislike that, not its tracks.",
            numbers,
        )  # fmt: skip
    return CheckResult("latency", question, Status.PASSED, figure, numbers=numbers)


def _groups(
    context: CheckContext, listeners: str, params: Sequence[Any] | Mapping[str, Any]
) -> list[Clustered]:
    """Sums by arm of a query that gives arm, user, x, y."""
    return [
        Clustered(*row)
        for row in context.query(
            f"SELECT arm, {SUMS} FROM ({listeners.rstrip().rstrip(';')}) GROUP BY arm ORDER BY arm",  # noqa: S608
            params,
        )
    ]


def _parity(
    context: CheckContext,
    name: str,
    question: str,
    groups: list[Clustered],
    form: str,
    explanation: str,
) -> CheckResult:
    p = heterogeneity(groups)
    ratios = [group.ratio for group in groups] or [0.0]
    figure = ", ".join(f"{group.name} {form.format(group.ratio)}" for group in groups)
    numbers = {"p": p, **{group.name: group.ratio for group in groups}}
    if p < context.thresholds.alarm_p and max(ratios) - min(ratios) > context.thresholds.parity_gap:
        return CheckResult(name, question, Status.FAILED, figure, explanation, numbers)
    if max(ratios) > context.thresholds.fallback_share:
        return CheckResult(
            name, question, Status.WARNING, figure,
            "Alike in all arms, but so many that what is left may not stand for the rest.", numbers,
        )  # fmt: skip
    if len(groups) < 2:
        return CheckResult(name, question, Status.NOT_MADE, TOO_FEW_ARMS, numbers=numbers)
    return CheckResult(name, question, Status.PASSED, figure, numbers=numbers)


def _abandoned_before(context: CheckContext) -> int:
    """A session whose last event is older than this, Unix time in ms, will get no further one.

    From the log's own pauses, as a gap of half an hour says nothing of a log of five minutes.
    """
    pause, end = context.query(
        """WITH pauses AS (
            SELECT at_ms - lag(at_ms) OVER (PARTITION BY "user", session ORDER BY turn) AS pause
            FROM events)
        SELECT coalesce(quantile_disc(pause, 0.9), 0), (SELECT max(at_ms) FROM events)
        FROM pauses"""
    )[0]
    gap_ms = context.log.gap_s * 1000
    return int(end - min(gap_ms, max(1000, PAUSES * pause)))
