"""Inject every known fault into a log or a server, and record which checks find it."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from audit import heard_faults, log_faults, scale_faults, server_faults
from audit.canary import run_canaries
from audit.fault_detection import FaultDetector
from audit.log_faults import CleanLog, FaultNotApplicable, LogFault, LogLines, new_failures
from core.progress import Progress
from engine.runtime import Runtime

CANARIES = 200
"""Listeners that ask a server with a fault, over HTTP."""

Make = Callable[[CleanLog], LogLines]


class FaultFinding(NamedTuple):
    """The outcome of an injected fault.

    Attributes:
        name: Name of the fault.
        what: What goes wrong, as a clause.
        found_by: Names of the checks that found it.
        not_applicable: Why the config excludes the fault; empty if it was injected.
        not_planted: Whether the log with the fault is the log without it, so that no check had
            anything to find.
    """

    name: str
    what: str
    found_by: tuple[str, ...] = ()
    not_applicable: str = ""
    not_planted: bool = False

    @property
    def is_missed(self) -> bool:
        """True if the fault was injected and no check found it."""
        return not (self.found_by or self.not_applicable or self.not_planted)


def known_faults() -> tuple[LogFault, ...]:
    """Return every fault that a check finds in the log alone."""
    return (*log_faults.LOG_FAULTS, *heard_faults.HEARD_FAULTS, *scale_faults.SCALE_FAULTS)


def clean_logs() -> list[Make]:
    """Return the ways of making a log without a fault; the first is a plain copy."""
    befores = [fault.before for fault in known_faults()]
    return list(dict.fromkeys([CleanLog.copy, *befores]))


def count_steps() -> int:
    """Return how often `failures_without_fault` and `inject_all` advance the progress."""
    logs = len(known_faults()) + len(log_faults.REPLAY_FAULTS)
    return len(clean_logs()) + 1 + logs + len(server_faults.SERVER_FAULTS)


def failures_without_fault(
    detector: FaultDetector, clean: CleanLog, progress: Progress
) -> dict[Make, list[str]]:
    """Return the checks that fail on each log without a fault: these have found nothing later."""
    failures: dict[Make, list[str]] = {}
    for make in clean_logs():
        failures[make] = detector.failing_checks(make(clean), f"before {make.__name__}")
        progress.advance()
    if not detector.replays(clean.copy(), "again"):
        failures[CleanLog.copy].append("replay")
    progress.advance()
    return failures


def inject_all(
    detector: FaultDetector,
    clean: CleanLog,
    before: Mapping[Make, list[str]],
    runtime: Runtime,
    folder: Path,
    progress: Progress,
) -> Iterator[FaultFinding]:
    """Inject each fault, into a copy of the log or into a server of canaries.

    Args:
        detector: Runs the checks on a log.
        clean: The log without a fault.
        before: Result of `failures_without_fault`.
        runtime: The config of the servers.
        folder: For the logs of the servers.
        progress: Advances by one for each fault.
    """
    for fault in (*known_faults(), *log_faults.REPLAY_FAULTS):
        try:
            lines = fault.inject(clean)
        except FaultNotApplicable as reason:
            yield FaultFinding(fault.name, fault.what, not_applicable=str(reason))
            progress.advance()
            continue
        if lines == fault.before(clean):
            yield FaultFinding(fault.name, fault.what, not_planted=True)
        else:
            found_by = _find(detector, fault, lines, before[fault.before])
            yield FaultFinding(fault.name, fault.what, tuple(found_by))
        progress.advance()
    settings, catalog = runtime.settings, runtime.catalog
    for name, what, inject in server_faults.SERVER_FAULTS:
        report = run_canaries(settings, catalog, folder / name, range(CANARIES), inject)
        yield FaultFinding(name, what, ("canary",) if report.disagreeing else ())
        progress.advance()


def _find(
    detector: FaultDetector, fault: LogFault, lines: LogLines, before: Sequence[str]
) -> list[str]:
    """Name the checks that find a fault; replay is asked where no check of the log does.

    Report and verify replay a log too. Which of the checks can find a fault depends on the
    strategies of the config: half the propensity of a uniform strategy is seen in the log alone.
    """
    found_by: list[str] = []
    if fault not in log_faults.REPLAY_FAULTS:
        found_by = new_failures(detector.failing_checks(lines, fault.name), before)
    if found_by or fault.before is not CleanLog.copy:
        return found_by
    failed = [] if detector.replays(lines, fault.name) else ["replay"]
    return new_failures(failed, before)
