"""The validity of moments: checks that add up are made again, all others are kept from each day."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.context import CheckContext, Thresholds
from analysis.checks.parity import over_before
from analysis.checks.result import EXAMPLES, CheckResult, Example, Status, ValidityReport
from analysis.checks.sample_ratio import check_population
from analysis.checks.suite import EXPERIMENT_CHECKS, LOG_CHECKS, tolerate
from analysis.moments.moments import Moments, Part
from analysis.moments.writing import ends_of_pauses
from analysis.workspace import Workspace
from events.queries import read_query
from events.reader import EventLog

ADDED_UP = frozenset({
    "lines", "duplicates", "ids", "turns", "state",
    "one-arm", "sample-ratio", "sample-ratio-watched", "sample-ratio-by-part", "analysed-ratio",
    "left-out", "empty-sessions", "unfinished", "outcomes", "events-per-listener", "heavy-listener",
    "first-tracks",
})  # fmt: skip
"""Checks that are made again over all parts: of lines that are there or lost, of the turns of
sessions, and of who came and who is analysed. What no day shows, a month may show, and a file that
is missing between two days shows in neither of them. Their result is that over the whole log.

All others look at single lines, or at two neighbouring ones, with fields that would make a part as
large as its log (`played` compares a listen with the recommendation before it, `assignment` each
line with the hash, `replay` decides again). They are made when a part is added, and kept."""

_WORST = (Status.FAILED, Status.WARNING, Status.PASSED, Status.UNKNOWN, Status.NOT_MADE)

PartResults = Sequence[tuple[Part, CheckResult]]
"""A check's result in each part that has one."""


class _MomentsContext(CheckContext):
    """The tables that `ADDED_UP` needs, from the parts; there are no lines to show."""

    def __init__(self, log: EventLog, configs: ArchivedConfigs) -> None:
        tables = (
            "processes", "parts_seen", "first_seen", "analysed", "moments_session_turns",
            "session_chains", "moments_sessions_begun", "first_listens",
        )  # fmt: skip
        Workspace.__init__(self, log, tables)
        self.configs = configs
        self.thresholds = Thresholds()
        self.ours, self.botify = True, False
        self.numbered = {}
        usual = read_query("analysis", "moments_usual_pause").format(**ends_of_pauses(log.gap_s))
        end_ms = self.one("SELECT end_ms FROM log_span")
        self.abandoned_before = over_before(end_ms, log.gap_s, self.one(usual.rstrip("; \n")))

    def find_examples(
        self, query: str, params: Sequence[Any] | Mapping[str, Any], what: str
    ) -> tuple[Example, ...]:
        """Find none; the parts have those of their own checks."""
        return ()


def validity_of(
    log: EventLog,
    moments: Moments,
    archived_configs: ArchivedConfigs,
    names: Sequence[str],
    tolerated: Collection[str] = (),
    listeners: Collection[str] | None = None,
) -> list[ValidityReport]:
    """Put the checks of all parts together, and make those again that add up.

    Of a check that is not made again the worst result counts, and its figure names the part.

    Args:
        log: The moments, opened.
        moments: The parts.
        archived_configs: The configs that decided.
        names: Experiments.
        tolerated: Names of checks whose failure the caller accepts.
        listeners: All listeners that exist, if they are known.

    Returns:
        One report for each experiment; a single one without a name if there is no experiment.
    """
    with _MomentsContext(log, archived_configs) as context:
        whole = _combine(moments, "", lambda check: LOG_CHECKS[check](context))
        found = []
        for name in names:
            again = partial(_check_again, context, name)
            own = _combine(moments, name, again)
            if listeners is not None:
                own.append(check_population(context, name, listeners))
            found.append(_report(name, [*whole, *own], tolerated))
    return found or [_report(None, whole, tolerated)]


def _check_again(context: CheckContext, experiment: str, check: str) -> CheckResult:
    return EXPERIMENT_CHECKS[check](context, experiment)


def _report(
    experiment: str | None, checks: Sequence[CheckResult], tolerated: Collection[str]
) -> ValidityReport:
    return ValidityReport(experiment, tuple(tolerate(check, tolerated) for check in checks))


def _combine(
    moments: Moments, experiment: str, again: Callable[[str], CheckResult]
) -> list[CheckResult]:
    """Judge each check of an experiment over all parts; "" stands for the checks of the log."""
    combined = []
    for check, of_parts in _by_check(moments, experiment).items():
        if len(moments.parts) == 1 or check not in ADDED_UP:
            combined.append(_worst(of_parts))
            continue
        result = again(check)
        combined.append(replace(result, examples=result.examples or _kept(of_parts, result.status)))
    return combined


def _by_check(moments: Moments, experiment: str) -> dict[str, list[tuple[Part, CheckResult]]]:
    """Each check's results, in the order in which the parts have them."""
    found: dict[str, list[tuple[Part, CheckResult]]] = {}
    for part in moments.parts:
        for said in part.validity.get(experiment, ()):
            check = CheckResult.from_dict(said)
            found.setdefault(check.name, []).append((part, check))
    return found


def _kept(of_parts: PartResults, status: Status) -> tuple[Example, ...]:
    """The examples of the parts whose own result was the same."""
    examples = [each for _, check in of_parts if check.status is status for each in check.examples]
    return tuple(examples[:EXAMPLES])


def _worst(of_parts: PartResults) -> CheckResult:
    """The worst result, the earliest of equal ones; it says how many parts have it."""
    part, worst = min(of_parts, key=lambda each: _WORST.index(each[1].status))
    if len(of_parts) == 1:
        return worst
    alike = sum(check.status is worst.status for _, check in of_parts)
    return replace(
        worst,
        figure=f"{worst.figure} ({part.name}; {alike} of {len(of_parts)} parts {worst.status})",
    )
