"""The verdict: one sentence for each treatment."""

from collections.abc import Iterable, Mapping

from analysis.checks.result import ValidityReport
from analysis.effects.results import Effect, PlannedSize
from analysis.formatting import percent


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
    size = (
        "no planned size"
        if plan.listeners is None
        else "planned size reached"
        if plan.reached
        else f"{plan.seen:,} of {plan.listeners:,} planned listeners so far"
    )
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
            f"{shown}{why}; {valid}; {size}"
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
        sure = ", significant"
    return f"{treatment} {verb} {label} {shown} against {control}{sure}; {valid}; {size}"


def describe_harm(effect: Effect, guardrails: Iterable[Effect]) -> str:
    """Name the guardrails of a comparison that are worse by more than their margin; or nothing."""
    pair = effect.control, effect.treatment
    harmed = [
        f"{each.metric.label} ({each.margin})"
        for each in guardrails
        if each.guard == "beyond" and (each.control, each.treatment) == pair
    ]
    return f"; worse by more than its margin: {', '.join(harmed)}" if harmed else ""


def describe_withheld(validity: ValidityReport) -> str:
    """Describe an experiment whose effects are withheld."""
    failed = ", ".join(check.name for check in validity.failed)
    return f"INVALID, effects withheld: failed {failed}"
