"""The verdict: one sentence for each treatment."""

from collections.abc import Iterable, Iterator, Mapping

from analysis.checks.result import ValidityReport
from analysis.effects.metrics import SESSIONS
from analysis.effects.results import Effect, PlannedSize
from analysis.formatting import percent
from analysis.statistics.inference import ALPHA

LEFT_OUT = 0.01
"""The verdict names the share of listeners who are left out from here on: an experiment in which
nothing goes wrong has a few testers, and listeners of its last minutes."""


def describe_verdict(
    effect: Effect,
    plan: PlannedSize,
    validity: ValidityReport,
    labels: Mapping[str, str] | None = None,
) -> str:
    """Describe the primary effect of one treatment in one sentence.

    `labels` name the arms with their strategies; an arm without one goes by its name.

    Only the fixed-horizon test at the planned size of a valid experiment is called significant.
    """
    label = effect.metric.label
    control, treatment = (
        (labels or {}).get(arm, arm) for arm in (effect.control, effect.treatment)
    )
    valid = "valid" if validity.valid else "INVALID"
    size = "; ".join(_describe_plan(plan, effect))
    if effect.difference is None:
        return f"{treatment} against {control}: {effect.note}; {valid}; {size}"
    shown = (
        percent(effect.lift)
        if effect.lift
        else f"{effect.difference.estimate:+.3g} "
        f"[{effect.difference.low:+.3g}, {effect.difference.high:+.3g}] (lift undefined)"
    )
    if effect.claim is None:
        why = f" ({effect.note})" if effect.note.startswith("too early") else ""
        return (
            f"{treatment} shows no sure change of {label} against {control}: "
            f"{shown}{why}; {valid}; {size}{_describe_sensitivity(effect)}"
        )
    verb = "raises" if effect.claim == "up" else "lowers"
    if effect.lift:
        lift = effect.lift
        bounds = sorted((abs(lift.low), abs(lift.high)))
        shown = (
            f"by {100 * abs(lift.estimate):.1f} % [{100 * bounds[0]:.1f}, {100 * bounds[1]:.1f}]"
        )
    else:
        shown = f"by {shown}"
    sure = " (always-valid interval)" if not plan.reached else ""
    if plan.reached and validity.valid:
        sure = ", significant" + ("" if plan.alpha == ALPHA else f" at {100 * plan.alpha:.4g} %")
    return f"{treatment} {verb} {label} {shown} against {control}{sure}; {valid}; {size}"


def describe_harm(effect: Effect, guardrails: Iterable[Effect]) -> str:
    """Name the guardrails of a comparison that are beyond their margin; or nothing."""
    pair = effect.control, effect.treatment
    harmed = [
        f"{each.metric.label} ({each.margin})"
        for each in guardrails
        if each.guard == "beyond" and (each.control, each.treatment) == pair
    ]
    return f"; beyond its margin: {', '.join(harmed)}" if harmed else ""


def describe_doubts(
    effect: Effect, guardrails: Iterable[Effect], counted: int, excluded: Mapping[str, int]
) -> str:
    """Say what else a reader must know of a verdict: sessions that moved, listeners left out."""
    pair = effect.control, effect.treatment
    found = [
        f"sessions per listener moved by {percent(each.lift)}"
        for each in guardrails
        if each.metric.name == SESSIONS.name
        and (each.control, each.treatment) == pair
        and each.claim is not None
        and each.lift is not None
    ]
    # A listener whose first session is still open will have a mean soon, and is among the counted.
    out = sum(count for reason, count in excluded.items() if reason != "no ended session")
    if out and out >= LEFT_OUT * (counted + out):
        found.append(f"{out / (counted + out):.1%} of the listeners are left out")
    return "".join(f"; {said}" for said in found)


def _describe_plan(plan: PlannedSize, effect: Effect) -> Iterator[str]:
    """Say how far the plan is, where it comes from, and whether it was for this metric."""
    if plan.listeners is None:
        yield "no planned size"
        return
    if not plan.reached:
        yield f"{plan.seen:,} of {plan.listeners:,} planned listeners so far"
    elif plan.until_ms is None:
        yield "planned size reached"
    else:
        yield f"first {plan.counted:,} of {plan.seen:,} listeners, as planned"
    if plan.source == "--planned":
        sealed = plan.sealed_listeners
        yield "planned size given afterwards" + (f", {sealed:,} was sealed" if sealed else "")
    elif plan.source == "config":
        yield "planned size from config, not sealed"
    elif plan.source == "sealed":
        yield "plan sealed at the start"
    if plan.metric and plan.metric != effect.metric.name:
        yield f"planned for {plan.metric}"


def _describe_sensitivity(effect: Effect) -> str:
    """Say which lift would have been found: without it, "no change" may only mean few listeners."""
    if effect.detectable is None:
        return ""
    return f"; so many listeners mostly show lifts from {100 * effect.detectable:.1f} %"


def describe_withheld(validity: ValidityReport) -> str:
    """Describe an experiment whose effects are withheld."""
    failed = ", ".join(check.name for check in validity.failed)
    return f"INVALID, effects withheld: failed {failed}"
