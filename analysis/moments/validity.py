"""The validity of moments: a part that failed a check keeps its effects withheld for good."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

from analysis.checks.analysed import check_analysed_ratio, check_heavy_listener
from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.context import CheckContext, Thresholds
from analysis.checks.parity import check_events_per_listener
from analysis.checks.result import CheckResult, Status, ValidityReport
from analysis.checks.sample_ratio import (
    check_sample_ratio,
    check_sample_ratio_by_part,
    check_sample_ratio_over_time,
)
from analysis.checks.suite import tolerate
from analysis.moments.moments import Moments, Part
from analysis.workspace import Workspace
from events.queries import read_named
from events.reader import EventLog

_WORST = (Status.FAILED, Status.WARNING, Status.PASSED, Status.UNKNOWN, Status.NOT_MADE)


class _MomentsContext(CheckContext):
    """The tables of listeners, from the parts; checks of single events have none here."""

    def __init__(self, log: EventLog, configs: ArchivedConfigs) -> None:
        (seen,) = read_named("analysis", "moments_first_seen")
        Workspace.__init__(self, log, ("analysed", "processes"), shadows=((seen, None),))
        self.configs = configs
        self.thresholds = Thresholds()
        self.ours, self.botify = True, False
        self.numbered = {}
        self.abandoned_before = None


def _check_one_arm(context: CheckContext, experiment: str) -> CheckResult:
    """Check that no listener was in one arm in one part, and in a second arm in a later one."""
    question = "Is every listener in only one arm?"
    total, several = context.query(
        "SELECT count(*), coalesce(sum(CASE WHEN arms > 1 THEN 1 ELSE 0 END), 0) FROM first_seen "
        "WHERE experiment = ?",
        [experiment],
    )[0]
    numbers = {"listeners": total, "in_several_arms": int(several)}
    if not total:
        return CheckResult("one-arm", question, Status.NOT_MADE, "no listeners", numbers=numbers)
    if not several:
        return CheckResult(
            "one-arm", question, Status.PASSED, f"{total:,} listeners", numbers=numbers
        )
    return CheckResult(
        "one-arm", question, Status.FAILED, f"{several:,} of {total:,} listeners in several arms",
        "These listeners got more than one treatment. The assignment changed while the experiment "
        "ran, or several definitions of the experiment served at once.",
        numbers,
    )  # fmt: skip


AGAIN: Mapping[str, Callable[[CheckContext, str], CheckResult]] = {
    "one-arm": _check_one_arm,
    "sample-ratio": check_sample_ratio,
    "sample-ratio-watched": check_sample_ratio_over_time,
    "sample-ratio-by-part": check_sample_ratio_by_part,
    "analysed-ratio": check_analysed_ratio,
    "events-per-listener": check_events_per_listener,
    "heavy-listener": check_heavy_listener,
}
"""Checks that are made again over the listeners of all parts: a loss that no day shows may show in
a month. All others are about single lines, and a line is in one part only."""


def validity_of(
    log: EventLog,
    moments: Moments,
    archived_configs: ArchivedConfigs,
    names: Sequence[str],
    tolerated: Collection[str] = (),
) -> dict[str, ValidityReport]:
    """Put the checks of all parts together, and make those of listeners again.

    A check that failed in one part has failed. Of a check that is not made again the worst result
    counts, and its figure names the part.

    Args:
        log: The moments, opened.
        moments: The parts.
        archived_configs: The configs that decided.
        names: Experiments.
        tolerated: Names of checks whose failure the caller accepts.
    """
    found = {}
    with _MomentsContext(log, archived_configs) as context:
        for name in names:
            checks = []
            for check, of_parts in _by_check(moments, name).items():
                worst = _worst(of_parts)
                if len(moments.parts) > 1 and check in AGAIN and worst.status is not Status.FAILED:
                    worst = AGAIN[check](context, name)
                checks.append(tolerate(worst, tolerated))
            found[name] = ValidityReport(name, tuple(checks))
    return found


def _by_check(moments: Moments, experiment: str) -> dict[str, list[tuple[Part, CheckResult]]]:
    """Each check's results, in the order in which the parts have them."""
    found: dict[str, list[tuple[Part, CheckResult]]] = {}
    for part in moments.parts:
        # A day before the experiment has the checks of its log alone, under no name.
        for said in part.validity.get(experiment, part.validity.get("", ())):
            check = CheckResult.from_dict(said)
            found.setdefault(check.name, []).append((part, check))
    return found


def _worst(of_parts: Sequence[tuple[Part, CheckResult]]) -> CheckResult:
    """The worst result, the earliest of equal ones; it says how many parts have it."""
    part, worst = min(of_parts, key=lambda each: _WORST.index(each[1].status))
    if len(of_parts) == 1:
        return worst
    alike = sum(check.status is worst.status for _, check in of_parts)
    return replace(
        worst,
        figure=f"{worst.figure} ({part.name}; {alike} of {len(of_parts)} parts {worst.status})",
    )
