"""Notes under a report: what a reader must know of a plan, a metric or a log to read it rightly."""

from collections.abc import Sequence

from analysis.effects.listener_table import ListenerTable
from analysis.effects.report_options import ReportOptions
from analysis.effects.results import ArmSummary, Effect, PlannedSize
from analysis.formatting import percent
from analysis.statistics.inference import ALPHA


def of_plan(plan: PlannedSize, options: ReportOptions) -> list[str]:
    """Whether the plan was followed."""
    found = []
    if plan.listeners is None:
        found.append(
            "No planned size, so intervals are always-valid and wider than planned ones. If it "
            "was fixed before the start and this is the only look, say so with --planned."
        )
    elif plan.seen > 1.1 * plan.listeners:
        found.append(
            f"{plan.seen:,} listeners came, {plan.listeners:,} were planned. The fixed interval "
            "holds for one look; looking until it pleases makes it false."
        )
    if options.planned_metric and options.planned_metric != options.primary.name:
        found.append(
            f"The plan was made for {options.planned_metric}, the verdict is about "
            f"{options.primary.name}: a metric that is chosen afterwards proves less than it seems "
            "to."
        )
    if options.planned_alpha != ALPHA:
        found.append(
            f"The plan was made for an error rate of {options.planned_alpha:g}; "
            f"here it is {ALPHA:g}."
        )
    return found


def of_other_ways(
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


def of_first_tracks(listeners: ListenerTable) -> list[str]:
    """How much of a session's time no arm had a hand in."""
    whole, recommended = listeners.query(
        "SELECT sum(time_all), sum(time_chosen) FROM listener_table"
    )[0]
    if not whole or recommended is None or recommended >= whole:
        return []
    return [
        f"{100 * (1 - recommended / whole):.0f} % of the time is the first track of a session, "
        "which no arm chose: `recommended time` is without it."
    ]


def of_open_sessions(arms: Sequence[ArmSummary]) -> list[str]:
    """Sessions that nobody ended."""
    unfinished = sum(arm.open_sessions for arm in arms)
    if not unfinished:
        return []
    return [f"{unfinished:,} sessions were still open at the end of the log: not counted."]


def _error(effect: Effect) -> float:
    """Half the width over two: near a standard error at any usual confidence."""
    assert effect.difference is not None
    return (effect.difference.high - effect.difference.low) / 4
