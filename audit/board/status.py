"""The status of an experiment in one word, with its reason."""

from analysis.effects.results import ExperimentResult


def status_of(result: ExperimentResult) -> tuple[str, str]:
    """Return the status and its reason.

    `unhealthy`: a check fails. `decided`: every comparison has a claim. `past plan`: the planned
    listeners are in, and some comparison shows no sure change. `collecting`: anything else.
    """
    plan = result.plan
    if not result.validity.valid:
        failed = [check.name for check in result.validity.failed]
        several = "s" if len(failed) > 1 else ""
        return "unhealthy", f"The check{several} {', '.join(failed)} failed; no effect is shown."
    if result.primary and all(effect.claim is not None for effect in result.primary):
        return "decided", f"{'; '.join(result.verdicts)}."
    if plan.reached:
        return "past plan", (
            f"All {plan.listeners:,} planned listeners are in, and not every comparison shows a "
            "sure change. Stop the experiment."
        )
    if plan.listeners is None:
        return "collecting", (
            f"{_listeners(plan.seen)} so far, without a plan; the intervals hold at every look."
        )
    return "collecting", (
        f"{plan.seen:,} of {_listeners(plan.listeners)} that were planned are in; the intervals "
        "hold at every look."
    )


def _listeners(count: int) -> str:
    return f"{count:,} listener{'' if count == 1 else 's'}"
