"""The check of latency: all arms answer equally quickly, and each says how quickly."""

from typing import Any

from analysis.checks.context import CheckContext
from analysis.checks.parity import TOO_FEW_ARMS, heterogeneity, sum_by_arm
from analysis.checks.result import CheckResult, Status
from analysis.quantiles import quantiles_by


def check_latency(context: CheckContext, experiment: str) -> CheckResult:
    """Compare the time that a decision took by arm: a slow arm is judged for its delay too.

    That is `took_us`, the decision's own time, where the log has it; `latency` includes what
    arrived in the same batch. An answer without either counts in neither mean, and is not 0 ms.
    """
    question = "Do all arms answer equally quickly?"
    means = context.query(
        # Whole billionths: a sum of fractions depends on the order in which threads add them.
        f"""SELECT arm, sum(CAST(round(own_s * 1e9) AS BIGINT)) / 1e9 / count(*)
        FROM ({_ANSWERS}) WHERE own_s IS NOT NULL GROUP BY arm ORDER BY arm""",  # noqa: S608
        [experiment],
    )
    p99s = dict(context.query(quantiles_by("arm", "own_s", f"({_ANSWERS})", [0.99]), [experiment]))
    rows = [(arm, mean, p99s[arm]) for arm, mean in means]
    silent = sum_by_arm(
        context,
        f"""SELECT arm, "user", count(*) FILTER (WHERE own_s IS NULL) AS x, count(*) AS y
        FROM ({_ANSWERS}) GROUP BY arm, "user" """,  # noqa: S608
        [experiment],
    )
    numbers: dict[str, Any] = {arm: {"mean_s": mean, "p99_s": p99} for arm, mean, p99 in rows}
    shares = {group.name: group.ratio for group in silent}
    if any(shares.values()):
        numbers["without"] = shares
    limits = context.thresholds
    uneven = len(shares) > 1 and max(shares.values()) - min(shares.values()) > limits.parity_gap
    if uneven and heterogeneity(silent) < limits.alarm_p:
        figure = "without one: " + ", ".join(f"{arm} {share:.1%}" for arm, share in shares.items())
        return CheckResult(
            "latency", question, Status.WARNING, figure,
            "The share of answers without a latency differs by arm. The arms are compared only on "
            "the answers that have one, and those without may be the slow ones.",
            numbers,
        )  # fmt: skip
    if len(rows) < 2:
        return CheckResult("latency", question, Status.NOT_MADE, TOO_FEW_ARMS, numbers=numbers)
    figure = "p99 " + ", ".join(f"{arm} {p99 * 1000:.2f} ms" for arm, _, p99 in rows)
    slowest, quickest = max(p99 for *_, p99 in rows), min(p99 for *_, p99 in rows)
    if slowest > 0.005 and slowest > limits.latency_ratio * quickest:
        return CheckResult(
            "latency", question, Status.WARNING, figure,
            "The slowest arm is much slower than the quickest. Listeners may dislike the delay, "
            "and not the tracks.",
            numbers,
        )  # fmt: skip
    return CheckResult("latency", question, Status.PASSED, figure, numbers=numbers)


_ANSWERS = """SELECT a.arm, e."user", coalesce(e.took_us / 1e6, e.latency_s) AS own_s
FROM events AS e INNER JOIN assignments AS a ON e.experiments = a.experiments
WHERE a.experiment = $1 AND e.message = 'next' AND NOT e.forced"""
