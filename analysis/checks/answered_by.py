"""Checks of who answered: the arm's own strategy or a fallback that it declares."""

from collections import Counter
from typing import Any

from analysis.checks.archived_configs import ArchivedConfig, arms_of
from analysis.checks.context import CheckContext
from analysis.checks.parity import heterogeneity, sum_by, sum_by_arm
from analysis.checks.result import EXAMPLES, CheckResult, Status
from events.queries import read_query

NOT_LOGGED = (
    "Botify's log does not name the recommender that answered. An arm that got a different arm's "
    "recommender, or silently its fallback, looks normal here. Only a canary can tell: give every "
    "arm a constant recommender of its own, and compare what is played with the arm in the log. "
    "`segue doctor` does that for a server of ours."
)

LEAST_OF_A_PROCESS = 30
"""Listeners of an arm that a process must have for its share of fallbacks to count."""


def check_served(context: CheckContext, experiment: str) -> CheckResult:
    """Check that the arm's strategy answered, or a fallback at the depth where it is declared."""
    question = "Did the arm's strategy, or a declared fallback, give every answer?"
    if not context.has_ours(experiment):
        return CheckResult("served", question, Status.UNKNOWN, "not in the log", NOT_LOGGED)
    wrong: list[tuple[str, ...]] = []
    table: Counter[tuple[str, str]] = Counter()
    lines = faulty = 0
    for config, text, strategy, answered_by, depth, forced, count in context.query(
        """SELECT config, experiments, strategy, answered_by, depth, forced, count(*) FROM events
        WHERE "schema" > 0 AND message = 'next' GROUP BY ALL
        ORDER BY config NULLS LAST, experiments NULLS LAST, strategy NULLS LAST,
            answered_by NULLS LAST, depth NULLS LAST, forced"""
    ):
        arms = arms_of(text)
        if experiment not in arms:
            continue
        lines += count
        if not forced:
            table[arms[experiment], answered_by or "unknown"] += count
        archived = context.configs.by_digest.get(config or "")
        if archived is None or not _may_answer(archived, arms, strategy, answered_by, depth):
            faulty += count
            wrong.append((config, text, strategy, answered_by, depth))
    numbers: dict[str, Any] = {
        "answers": lines,
        "undeclared": faulty,
        "answered_by": {
            arm: {who: n for (a, who), n in sorted(table.items()) if a == arm}
            for arm in sorted({arm for arm, _ in table})
        },
    }
    if not lines:
        return CheckResult("served", question, Status.NOT_MADE, "no answers", numbers=numbers)
    if not faulty:
        return CheckResult("served", question, Status.PASSED, f"{lines:,} answers", numbers=numbers)
    rows: list[tuple[Any, ...]] = []
    for config, text, strategy, answered_by, depth in wrong[:EXAMPLES]:
        rows += context.query(
            """SELECT file_id, line, experiments, strategy, answered_by, depth FROM events
            WHERE message = 'next' AND config IS NOT DISTINCT FROM ?
                AND experiments IS NOT DISTINCT FROM ? AND strategy IS NOT DISTINCT FROM ?
                AND answered_by IS NOT DISTINCT FROM ? AND depth IS NOT DISTINCT FROM ?
            ORDER BY file_id, line LIMIT 3""",
            [config, text, strategy, answered_by, depth],
        )
    return CheckResult(
        "served", question, Status.FAILED,
        f"{faulty:,} of {lines:,} answers by an undeclared strategy",
        "The arm in the log is not the arm that was served, or a strategy answers that the arm's "
        "config does not declare. No difference between the arms means anything.",
        numbers, context.examples(rows, "{}: strategy {}, answered by {} at depth {}"),
    )  # fmt: skip


def _may_answer(
    archived: ArchivedConfig,
    arms: dict[str, str],
    strategy: str | None,
    answered_by: str | None,
    depth: int | None,
) -> bool:
    if strategy is None or depth is None or archived.strategy_for(arms) != strategy:
        return False
    chain = archived.chains.get(strategy, [])
    return depth < len(chain) and answered_by in archived.declared[chain[depth]]


def check_fallback(context: CheckContext, experiment: str) -> CheckResult:
    """Check that each arm answers itself, equally often on every process."""
    question = "Does every arm answer itself, and not by its fallback?"
    if not context.has_ours(experiment):
        return CheckResult("fallback", question, Status.UNKNOWN, "not in the log", "See `served`.")
    shares = {
        arm: (answers, fallbacks / answers)
        for arm, answers, fallbacks in context.query(
            """SELECT a.arm, count(*), count(*) FILTER (WHERE e.depth > 0)
            FROM events AS e INNER JOIN assignments AS a ON e.experiments = a.experiments
            WHERE a.experiment = ? AND e.message = 'next' AND NOT e.forced AND e."schema" > 0
            GROUP BY a.arm ORDER BY a.arm""",
            [experiment],
        )
    }
    numbers: dict[str, Any] = {arm: share for arm, (_, share) in shares.items()}
    figure = ", ".join(f"{arm} {share:.1%}" for arm, (_, share) in shares.items())
    if not shares:
        return CheckResult("fallback", question, Status.NOT_MADE, "no answers", numbers=numbers)
    limits = context.thresholds
    dead = [arm for arm, (n, share) in shares.items() if n and share > 1 - limits.dead_share]
    if dead:
        return CheckResult(
            "fallback", question, Status.FAILED, figure,
            f"Arm {' and '.join(dead)} hardly ever answers, so the experiment measures its "
            "fallback. Check whether the arm's list has the tracks, or the listeners, that come.",
            numbers,
        )  # fmt: skip
    uneven = [arm for arm in shares if _differs_by_process(context, experiment, arm)]
    if uneven:
        return CheckResult(
            "fallback", question, Status.FAILED, figure,
            f"Arm {' and '.join(uneven)} falls back far more often on some processes than on the "
            "rest: a process has different data, or has lost its data.",
            numbers,
        )  # fmt: skip
    groups = sum_by_arm(context, _BY_ARM, [experiment])
    if (
        max(numbers.values()) - min(numbers.values()) > limits.fallback_gap
        and heterogeneity(groups) < limits.alarm_p
    ):
        most = max(numbers, key=lambda arm: numbers[arm])
        return CheckResult(
            "fallback", question, Status.WARNING, figure,
            f"Arm {most} gives more of its answers by a fallback than the others do. Its effect is "
            "the effect of its strategy and of its fallback together.",
            numbers,
        )  # fmt: skip
    often = [arm for arm, (_, share) in shares.items() if share > limits.fallback_share]
    if often:
        return CheckResult(
            "fallback", question, Status.WARNING, figure,
            f"A fallback gives most answers of arm {' and '.join(often)}; an effect is the effect "
            "of both strategies together.",
            numbers,
        )  # fmt: skip
    return CheckResult("fallback", question, Status.PASSED, figure, numbers=numbers)


def _differs_by_process(context: CheckContext, experiment: str, arm: str) -> bool:
    """Say whether the share of fallbacks differs between processes, surely and by much."""
    found = sum_by(
        context, "process", read_query("analysis", "fallbacks_by_process"),
        {"experiment": experiment, "arm": arm},
    )  # fmt: skip
    groups = [group for group in found if group.n >= LEAST_OF_A_PROCESS]
    if len(groups) < 2:
        return False
    ratios = [group.ratio for group in groups]
    return max(ratios) - min(ratios) > 0.2 and heterogeneity(groups) < context.thresholds.alarm_p


_BY_ARM = """SELECT a.arm, e."user", count(*) FILTER (WHERE e.depth > 0) AS x, count(*) AS y
FROM events AS e INNER JOIN assignments AS a ON e.experiments = a.experiments
WHERE a.experiment = $1 AND e.message = 'next' AND NOT e.forced AND e."schema" > 0
GROUP BY a.arm, e."user" """
