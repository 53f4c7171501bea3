"""All gates of a log, in the order in which they are best read."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from analysis.checks.answered_by import fallback, served
from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.assignment import assignment, one_arm
from analysis.checks.config_stability import config
from analysis.checks.context import CheckContext, Thresholds
from analysis.checks.log_integrity import clock, duplicates, forced, played, readable
from analysis.checks.parity import events_per_listener, latency, outcomes, unfinished
from analysis.checks.result import CheckResult, Status, ValidityReport
from analysis.checks.sample_ratio import population, ratio_by_part, sample_ratio, watched_ratio
from analysis.checks.turn_continuity import state, turns
from core.progress import SILENT, Progress
from events.reader import EventLog

LOG_CHECKS: Mapping[str, Callable[[CheckContext], CheckResult]] = {
    "lines": readable,
    "duplicates": duplicates,
    "turns": turns,
    "state": state,
    "clock": clock,
    "played": played,
}
"""Gates on the whole log, whatever experiment runs."""

EXPERIMENT_CHECKS: Mapping[str, Callable[[CheckContext, str], CheckResult]] = {
    "config": config,
    "assignment": assignment,
    "served": served,
    "fallback": fallback,
    "one-arm": one_arm,
    "sample-ratio": sample_ratio,
    "sample-ratio-watched": watched_ratio,
    "sample-ratio-by-part": ratio_by_part,
    "unfinished": unfinished,
    "outcomes": outcomes,
    "events-per-listener": events_per_listener,
    "forced": forced,
    "latency": latency,
}
"""Gates on one experiment; `population` joins them where all listeners are known."""


def run_checks(
    log: EventLog,
    definitions: ArchivedConfigs,
    experiment: str,
    limits: Thresholds | None = None,
    tolerated: Collection[str] = (),
) -> ValidityReport:
    """The certificate of one experiment; see `run_all_checks`."""
    (certificate,) = run_all_checks(log, definitions, [experiment], limits, tolerated)
    return certificate


def run_all_checks(
    log: EventLog,
    definitions: ArchivedConfigs,
    experiments: Iterable[str] | None = None,
    limits: Thresholds | None = None,
    tolerated: Collection[str] = (),
    listeners: Collection[str] | None = None,
    progress: Progress | None = None,
) -> list[ValidityReport]:
    """One certificate for each experiment; a single one without name when the log has none.

    Args:
        log: A log that was read whole: a window cuts stories and looks like missing events.
        definitions: What should have happened.
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

    def done(gate: CheckResult) -> CheckResult:
        progress.advance()
        if gate.verdict is Status.FAILED and gate.name in tolerated:
            return replace(
                gate,
                verdict=Status.WARNING,
                says=f"Failed, and tolerated by who asked. {gate.says}",
            )
        return gate

    with CheckContext(log, definitions, limits) as context:
        whole = [done(gate(context)) for gate in LOG_CHECKS.values()]
        if not names:
            return [ValidityReport(None, tuple(whole))]
        certificates = []
        for name in names:
            own = [done(gate(context, name)) for gate in EXPERIMENT_CHECKS.values()]
            if listeners is not None:
                own.append(done(population(context, name, listeners)))
            certificates.append(ValidityReport(name, (*whole, *own)))
        return certificates
