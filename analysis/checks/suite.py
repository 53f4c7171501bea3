"""All checks of a log, in the order in which a reader needs them."""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from analysis.checks.analysed import (
    check_analysed_ratio,
    check_empty_sessions,
    check_heavy_listener,
    check_left_out,
    check_staying,
)
from analysis.checks.answered_by import check_fallback, check_served
from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.assignment import check_assignment, check_one_arm
from analysis.checks.clock import check_clock
from analysis.checks.config_stability import check_config
from analysis.checks.context import CheckContext, Thresholds
from analysis.checks.degraded_turns import check_degraded, has_degraded
from analysis.checks.forced_arms import check_forced
from analysis.checks.heard_tracks import check_played, check_played_by_arm
from analysis.checks.latency import check_latency
from analysis.checks.line_ids import check_ids
from analysis.checks.log_integrity import check_duplicates, check_lines
from analysis.checks.parity import (
    check_events_per_listener,
    check_outcomes,
    check_unfinished,
)
from analysis.checks.propensities import check_propensity
from analysis.checks.reported_times import check_first_tracks, check_time_scale
from analysis.checks.result import CheckResult, Status, ValidityReport
from analysis.checks.sample_ratio import (
    check_population,
    check_sample_ratio,
    check_sample_ratio_by_part,
    check_sample_ratio_over_time,
)
from analysis.checks.strategy_failures import check_failures
from analysis.checks.turn_continuity import check_state, check_turns
from core.progress import SILENT, Progress
from events.reader import EventLog

LOG_CHECKS: Mapping[str, Callable[[CheckContext], CheckResult]] = {
    "lines": check_lines,
    "duplicates": check_duplicates,
    "ids": check_ids,
    "turns": check_turns,
    "state": check_state,
    "clock": check_clock,
    "played": check_played,
}
"""Checks of the whole log, for every experiment in it."""

EXPERIMENT_CHECKS: Mapping[str, Callable[[CheckContext, str], CheckResult]] = {
    "config": check_config,
    "assignment": check_assignment,
    "served": check_served,
    "fallback": check_fallback,
    "propensity": check_propensity,
    "failures": check_failures,
    "one-arm": check_one_arm,
    "played-by-arm": check_played_by_arm,
    "first-tracks": check_first_tracks,
    "time-scale": check_time_scale,
    "sample-ratio": check_sample_ratio,
    "sample-ratio-watched": check_sample_ratio_over_time,
    "sample-ratio-by-part": check_sample_ratio_by_part,
    "analysed-ratio": check_analysed_ratio,
    "left-out": check_left_out,
    "staying": check_staying,
    "empty-sessions": check_empty_sessions,
    "unfinished": check_unfinished,
    "outcomes": check_outcomes,
    "events-per-listener": check_events_per_listener,
    "heavy-listener": check_heavy_listener,
    "forced": check_forced,
    "latency": check_latency,
}
"""Checks of one experiment. `degraded` joins them if the shared state was away, `population` if all
listeners are known."""


@dataclass(frozen=True, slots=True)
class MoreChecks:
    """Checks that a caller adds: they need more than this package may import, or an option.

    Attributes:
        of_log: Of the whole log.
        of_experiment: Of each experiment.
    """

    of_log: Sequence[Callable[[CheckContext], CheckResult]] = ()
    of_experiment: Sequence[Callable[[CheckContext, str], CheckResult]] = ()


def find_experiments(log: EventLog) -> list[str]:
    """Name the experiments that have an event in the log, sorted.

    `EventLog.experiments` names also those whose events all lie outside of the time window. There
    is nothing to check in them.
    """
    rows = log.query(
        "SELECT DISTINCT a.experiment FROM (SELECT DISTINCT experiments FROM events) AS e "
        "INNER JOIN assignments AS a ON e.experiments = a.experiments ORDER BY 1"
    )
    return [name for (name,) in rows]


def run_checks(
    log: EventLog,
    archived_configs: ArchivedConfigs,
    experiment: str,
    thresholds: Thresholds | None = None,
    tolerated: Collection[str] = (),
) -> ValidityReport:
    """Check one experiment; see `run_all_checks`."""
    (validity,) = run_all_checks(log, archived_configs, [experiment], thresholds, tolerated)
    return validity


def tolerate(check: CheckResult, tolerated: Collection[str]) -> CheckResult:
    """Make a warning of a failure that the caller accepts."""
    if check.status is not Status.FAILED or check.name not in tolerated:
        return check
    return replace(
        check,
        status=Status.WARNING,
        explanation=f"Failed, and tolerated by the caller. {check.explanation}",
    )


def run_all_checks(
    log: EventLog,
    archived_configs: ArchivedConfigs,
    experiments: Iterable[str] | None = None,
    thresholds: Thresholds | None = None,
    tolerated: Collection[str] = (),
    listeners: Collection[str] | None = None,
    progress: Progress | None = None,
    more: MoreChecks | None = None,
) -> list[ValidityReport]:
    """Check each experiment of a log; without an experiment, check the log alone.

    Args:
        log: A log that was read whole: a window cuts histories, which looks like missing events.
        archived_configs: The configs that decided: what should have happened.
        experiments: Names of the experiments; None for all that have an event in the log.
        thresholds: Where alarms begin.
        tolerated: Names of checks whose failure the caller accepts. Such a failure becomes a
            warning that tells so.
        listeners: All listeners that exist, if they are known.
        progress: Gets the number of checks that are done.
        more: Checks of the caller's own.

    Returns:
        One report for each experiment; a single one without a name if there is no experiment.
    """
    names = find_experiments(log) if experiments is None else list(experiments)
    progress, more = progress or SILENT, more or MoreChecks()
    log_checks = (*LOG_CHECKS.values(), *more.of_log)
    experiment_checks = (*EXPERIMENT_CHECKS.values(), *more.of_experiment)
    progress.start("checking", len(log_checks) + len(names) * len(experiment_checks))

    def done(check: CheckResult) -> CheckResult:
        progress.advance()
        return tolerate(check, tolerated)

    with CheckContext(log, archived_configs, thresholds) as context:
        whole = [done(check(context)) for check in log_checks]
        if not names:
            return [ValidityReport(None, tuple(whole))]
        degraded = has_degraded(context)
        validity_reports = []
        for name in names:
            own = [done(check(context, name)) for check in experiment_checks]
            if degraded:
                own.append(done(check_degraded(context, name)))
            if listeners is not None:
                own.append(done(check_population(context, name, listeners)))
            validity_reports.append(ValidityReport(name, (*whole, *own)))
        return validity_reports
