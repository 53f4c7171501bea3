"""The verdict: one sentence for each treatment, and the notes that keep it honest."""

from collections.abc import Sequence

from analysis.findings import Effect, Plan
from analysis.gates.values import Certificate
from analysis.showing.numbers import percent


def verdict(effect: Effect, plan: Plan, certificate: Certificate) -> str:
    """One sentence on the primary metric of one treatment.

    "Significant" is said only of the fixed test at the planned size of a valid experiment.
    """
    label = effect.metric.label
    valid = "valid" if certificate.valid else "INVALID"
    size = (
        "no planned size"
        if plan.listeners is None
        else "planned size reached"
        if plan.reached
        else f"{plan.seen:,} of {plan.listeners:,} planned listeners so far"
    )
    if effect.difference is None:
        return f"{effect.treatment} against {effect.control}: {effect.note}; {valid}; {size}"
    shown = (
        percent(effect.lift)
        if effect.lift
        else f"{effect.difference.estimate:+.3g} "
        f"[{effect.difference.low:+.3g}, {effect.difference.high:+.3g}] (lift undefined)"
    )
    if effect.claim is None:
        why = f" ({effect.note})" if effect.note.startswith("too early") else ""
        return (
            f"{effect.treatment} shows no sure change of {label} against {effect.control}: "
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
    if plan.reached and certificate.valid:
        sure = ", significant"
    return f"{effect.treatment} {verb} {label} {shown}{sure}; {valid}; {size}"


def withheld(certificate: Certificate) -> str:
    """The verdict on an experiment whose effects are kept back."""
    failed = ", ".join(gate.name for gate in certificate.failed)
    return f"INVALID, effects withheld: failed {failed}"


def cross_checks(
    primary: Sequence[Effect], by_totals: Sequence[Effect], sessions: Sequence[Effect]
) -> list[str]:
    """Where other ways to ask the same question answer otherwise.

    Args:
        primary: Mean session time, by listener.
        by_totals: Ratio of totals, which weighs listeners by their sessions.
        sessions: Sessions per listener, on the same pairs.
    """
    notes = []
    for headline, total, count in zip(primary, by_totals, sessions, strict=True):
        pair = f"{headline.treatment} against {headline.control}"
        if headline.difference and total.difference and total.p is not None:
            first, second = headline.difference.estimate, total.difference.estimate
            error = max(_error(headline), _error(total))
            if (first * second < 0 and max(abs(first), abs(second)) > error) or (
                abs(first - second) > error
            ):
                notes.append(
                    f"{pair}: mean session time by listener ({first:+.3g}) and over all sessions "
                    f"({second:+.3g}) differ by more than a standard error: heavy listeners react "
                    "otherwise than light ones. Total time per listener breaks the tie."
                )
        if count.claim is not None and count.lift is not None:
            notes.append(
                f"{pair}: sessions per listener moved by {percent(count.lift)}, so a mean per "
                "session compares different sessions. Total time per listener breaks the tie."
            )
    return notes


def _error(effect: Effect) -> float:
    """Half the width over two: near a standard error at any usual confidence."""
    assert effect.difference is not None
    return (effect.difference.high - effect.difference.low) / 4
