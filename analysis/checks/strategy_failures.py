"""The check of strategies that raised: in which arm, and in how many turns."""

from typing import Any

from analysis.checks.context import CheckContext
from analysis.checks.parity import heterogeneity, sum_by_arm
from analysis.checks.result import CheckResult, Status
from events.queries import read_query

NOT_LOGGED = "Botify's log does not say when a recommender failed."


def check_failures(context: CheckContext, experiment: str) -> CheckResult:
    """Check that hardly any turn of any arm met a strategy that raised."""
    question = "Do the strategies of every arm work?"
    if not context.has_ours(experiment):
        return CheckResult("failures", question, Status.UNKNOWN, "not in the log", NOT_LOGGED)
    arms = sum_by_arm(
        context, read_query("analysis", "strategy_failures"), {"experiment": experiment}
    )
    numbers: dict[str, Any] = {arm.name: arm.ratio for arm in arms}
    if not arms:
        return CheckResult("failures", question, Status.NOT_MADE, "no turns", numbers=numbers)
    figure = ", ".join(f"{arm.name} {arm.ratio:.2%}" for arm in arms)
    worst = max(arms, key=lambda arm: arm.ratio)
    if worst.ratio > context.thresholds.failing_share:
        status = Status.FAILED
        explanation = (
            f"A strategy raised in {worst.ratio:.1%} of the turns of arm {worst.name}. A later "
            "member of its chain answered, or none did: the experiment measures the failure. The "
            "server's log has the tracebacks."
        )
    elif heterogeneity(arms) < context.thresholds.alarm_p:
        status = Status.WARNING
        explanation = (
            f"Strategies fail more often in arm {worst.name} than in the rest, so far in few turns."
        )
    else:
        return CheckResult("failures", question, Status.PASSED, figure, numbers=numbers)
    examples = context.query(
        read_query("analysis", "strategy_failures_examples"),
        {"experiment": experiment, "arm": worst.name},
    )
    return CheckResult(
        "failures", question, status, figure, explanation, numbers,
        context.examples(examples, "failed: {}"),
    )  # fmt: skip
