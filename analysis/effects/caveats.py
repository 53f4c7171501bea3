"""Notes under a report: what a reader must know about its plan, metrics and log."""

from collections.abc import Sequence

from analysis.effects.listener_table import ListenerTable
from analysis.effects.report_options import ReportOptions
from analysis.effects.results import EARLY_SHARE, ArmSummary, Effect, PlannedSize
from analysis.formatting import confidence, moment, percent


def of_plan(plan: PlannedSize, options: ReportOptions) -> list[str]:
    """Warn if the experiment departs from its plan."""
    found = []
    if plan.listeners is None:
        found.append(
            "There is no planned size, so intervals are always-valid, which are wider than fixed "
            "ones. If the size was fixed before the start and you look only once, give it with "
            "--planned."
        )
    elif plan.until_ms is not None:
        found.append(
            f"Effects are those of the sessions that began until {moment(plan.until_ms)} UTC, when "
            f"listener {plan.listeners:,} came. Later looks give the same answer, so looking often "
            "does not make it false. Charts and the allocation show all listeners."
        )
    elif not plan.reached:
        found.append(
            f"Looks before the planned size get {EARLY_SHARE:.0%} of the error rate, so that the "
            f"planned look keeps its own: intervals are {confidence(plan.early_alpha)} ones."
        )
    if plan.metric and plan.metric != options.primary.name:
        found.append(
            f"The plan was made for {plan.metric}, the verdict is about "
            f"{options.primary.name}: a metric that is chosen after the start proves less than it "
            "seems to."
        )
    found.extend(options.plan.remarks)
    return found


def of_other_ways(
    primary: Sequence[Effect], by_totals: Sequence[Effect], sessions: Sequence[Effect]
) -> list[str]:
    """Warn if related metrics disagree with the primary metric.

    Args:
        primary: Mean session time, by listener.
        by_totals: Ratio of totals, which weights listeners by their sessions.
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
                    "differently from light ones. Total time per listener breaks the tie."
                )
        if count.claim is not None and count.lift is not None:
            notes.append(
                f"{pair}: sessions per listener moved by {percent(count.lift)}, so a mean per "
                "session compares different sessions. Total time per listener breaks the tie."
            )
    return notes


def of_first_tracks(listeners: ListenerTable) -> list[str]:
    """Tell which share of the time no arm chose."""
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
    """Tell how many sessions are not counted because they are still open."""
    unfinished = sum(arm.open_sessions for arm in arms)
    if not unfinished:
        return []
    return [f"{unfinished:,} sessions were still open at the end of the log: not counted."]


def _error(effect: Effect) -> float:
    """A quarter of the interval's width: near a standard error at any usual confidence."""
    assert effect.difference is not None
    return (effect.difference.high - effect.difference.low) / 4
