"""The check of turns that were decided without the shared state: how many, and in which arms."""

from typing import Any

from analysis.checks.context import CheckContext
from analysis.checks.parity import heterogeneity, sum_by_arm
from analysis.checks.result import CheckResult, Status
from events.queries import read_query


def has_degraded(context: CheckContext) -> bool:
    """Test whether any turn of the log was decided without the shared state."""
    return bool(context.one("SELECT count(*) FROM unplaced WHERE degraded"))


def check_degraded(context: CheckContext, experiment: str) -> CheckResult:
    """Check that an outage of the shared state touched few turns, and all arms alike."""
    question = "Were turns decided without the listeners' state?"
    arms = sum_by_arm(context, read_query("analysis", "degraded_turns"), {"experiment": experiment})
    numbers: dict[str, Any] = {arm.name: arm.ratio for arm in arms}
    if not arms:
        return CheckResult("degraded", question, Status.NOT_MADE, "no turns", numbers=numbers)
    figure = ", ".join(f"{arm.name} {arm.ratio:.2%}" for arm in arms)
    worst = max(arms, key=lambda arm: arm.ratio)
    explanation = (
        "The state that processes share was slow or away: these turns were decided as if the "
        "listener had come for the first time, and no session counts them."
    )
    if worst.ratio > context.thresholds.degraded_share:
        status = Status.FAILED
        explanation += f" In arm {worst.name} they are {worst.ratio:.1%} of the turns."
    elif heterogeneity(arms) < context.thresholds.alarm_p:
        status = Status.FAILED
        explanation += f" They are more frequent in arm {worst.name}, so the arms do not compare."
    elif worst.ratio:
        status = Status.WARNING
    else:
        return CheckResult("degraded", question, Status.PASSED, figure, numbers=numbers)
    return CheckResult("degraded", question, status, figure, explanation, numbers)
