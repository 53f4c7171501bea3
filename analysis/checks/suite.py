"""All gates of a log, in the order in which they are best read."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from analysis.checks.answered_by import check_fallback, check_served
from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.assignment import check_assignment, check_one_arm
from analysis.checks.config_stability import check_config
from analysis.checks.context import CheckContext, Thresholds
from analysis.checks.log_integrity import (
    check_clock,
    check_duplicates,
    check_forced,
    check_lines,
    check_played,
)
from analysis.checks.parity import (
    check_events_per_listener,
    check_latency,
    check_outcomes,
    check_unfinished,
)
from analysis.checks.result import CheckResult, Status, ValidityReport
from analysis.checks.sample_ratio import (
    check_population,
    check_sample_ratio,
    check_sample_ratio_by_part,
    check_sample_ratio_over_time,
)
from analysis.checks.turn_continuity import check_state, check_turns
from core.progress import SILENT, Progress
from events.reader import EventLog

LOG_CHECKS: Mapping[str, Callable[[CheckContext], CheckResult]] = {
    "lines": check_lines,
    "duplicates": check_duplicates,
    "turns": check_turns,
    "state": check_state,
    "clock": check_clock,
    "played": check_played,
}
"""Gates on the whole log, whatever experiment runs."""

EXPERIMENT_CHECKS: Mapping[str, Callable[[CheckContext, str], CheckResult]] = {
    "config": check_config,
    "assignment": check_assignment,
    "served": check_served,
    "fallback": check_fallback,
    "one-arm": check_one_arm,
    "sample-ratio": check_sample_ratio,
    "sample-ratio-watched": check_sample_ratio_over_time,
    "sample-ratio-by-part": check_sample_ratio_by_part,
    "unfinished": check_unfinished,
    "outcomes": check_outcomes,
    "events-per-listener": check_events_per_listener,
    "forced": check_forced,
    "latency": check_latency,
}
"""Gates on one experiment; `population` joins them where all listeners are known."""


def run_checks(
    log: EventLog,
    archived_configs: ArchivedConfigs,
    experiment: str,
    limits: Thresholds | None = None,
    tolerated: Collection[str] = (),
) -> ValidityReport:
    """The certificate of one experiment; see `run_all_checks`."""
    (validity,) = run_all_checks(log, archived_configs, [experiment], limits, tolerated)
    return validity


def run_all_checks(
    log: EventLog,
    archived_configs: ArchivedConfigs,
    experiments: Iterable[str] | None = None,
    limits: Thresholds | None = None,
    tolerated: Collection[str] = (),
    listeners: Collection[str] | None = None,
    progress: Progress | None = None,
) -> list[ValidityReport]:
    """One certificate for each experiment; a single one without name when the log has none.

    Args:
        log: A log that was read whole: a window cuts stories and looks like missing events.
        archived_configs: What should have happened.
        experiments: Which ones; all of the log by default.
        limits: Where alarms begin.
        tolerated: Names of gates whose failure the caller has looked into; it becomes a warning
            that says so.
        listeners: All listeners that there are, if they are known.
        progress: Who is told how far the checking is.
    """
    names = list(log.experiments() if experiments is None else experiments)
    progress = progress or SILENT
    progress.start("checking", len(LOG_CHECKS) + len(names) * len(EXPERIMENT_CHECKS))

    def done(check: CheckResult) -> CheckResult:
        progress.advance()
        if check.status is Status.FAILED and check.name in tolerated:
            return replace(
                check,
                status=Status.WARNING,
                explanation=f"Failed, and tolerated by who asked. {check.explanation}",
            )
        return check

    with CheckContext(log, archived_configs, limits) as context:
        whole = [done(check(context)) for check in LOG_CHECKS.values()]
        if not names:
            return [ValidityReport(None, tuple(whole))]
        validity_reports = []
        for name in names:
            own = [done(check(context, name)) for check in EXPERIMENT_CHECKS.values()]
            if listeners is not None:
                own.append(done(check_population(context, name, listeners)))
            validity_reports.append(ValidityReport(name, (*whole, *own)))
        return validity_reports
