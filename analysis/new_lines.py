"""The newest lines of a log that grows, checked at once for what one line can break.

A report of a million lines takes seconds. A torn line or a false arm must not hide so long.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.assignment import check_assignment
from analysis.checks.config_stability import check_config
from analysis.checks.context import CheckContext
from analysis.checks.forced_arms import check_forced
from analysis.checks.log_integrity import check_duplicates, check_lines, describe_repeated
from analysis.checks.propensities import check_propensity
from analysis.checks.result import EXAMPLES, CheckResult, Example, Status, ValidityReport
from analysis.checks.suite import find_experiments
from analysis.effects.results import ExperimentResult, Report
from analysis.effects.verdict import describe_withheld
from core.errors import InputError
from events.growing_file import GrowingFile
from events.growing_log import GrowingLog

LOG_CHECKS = (check_lines, check_duplicates)
EXPERIMENT_CHECKS = (check_config, check_assignment, check_propensity, check_forced)
"""Checks that fail on all lines if they fail on some. None needs a listener's history."""
PROVISIONAL = "This was found in the newest lines; the whole log is being checked."
Failures = Mapping[tuple[str | None, str], CheckResult]
"""(Experiment, or None for the log; name of the check) -> its result."""


@dataclass(frozen=True, slots=True)
class KnownLines:
    """The lines of a report.

    Attributes:
        places: How far each file was read.
        marks: Sorted; a line that repeats one of them has its mark.
    """

    places: Mapping[Path, GrowingFile]
    marks: npt.NDArray[Any]


class NewLines:
    """The lines behind those of a report. Close it.

    Args:
        logs: Event files and folders.
        read_configs: Reads the configs that decided.
        threads: Threads of DuckDB; all cores by default.
    """

    def __init__(
        self,
        logs: Sequence[Path],
        read_configs: Callable[[], ArchivedConfigs],
        threads: int | None = None,
    ) -> None:
        self._read_configs = read_configs
        self._log = GrowingLog(logs, threads=threads)
        self._failures: dict[tuple[str | None, str], CheckResult] = {}
        self._marks: list[npt.NDArray[Any]] = []

    def go_on_from(self, known: KnownLines) -> None:
        """Forget what was found, and look next at the lines behind the known ones."""
        self._failures.clear()
        self._marks = [known.marks]
        self._log.go_on_from(known.places)

    def failures(self) -> Failures:
        """Check the lines since the last call; return all failures since `go_on_from`."""
        try:
            if lost := self._log.lost_files():
                self._keep(None, [_say_lost(lost)])
            elif self._log.read():
                self._check()
                self._log.forget()
        except InputError as error:
            self._keep(None, [_say_unreadable(error)])
        return dict(self._failures)

    def close(self) -> None:
        """Free the memory."""
        self._log.close()

    def _check(self) -> None:
        log = self._log.events()
        with CheckContext(log, self._read_configs(), tables=()) as context:
            self._keep(None, [check(context) for check in LOG_CHECKS])
            self._check_repeated(context)
            for name in find_experiments(log):
                self._keep(name, [check(context, name) for check in EXPERIMENT_CHECKS])

    def _check_repeated(self, context: CheckContext) -> None:
        """Find lines that repeat one that is known; the tables have the newest lines only."""
        found = self._log.marks()
        again = np.zeros(len(found["mark"]), dtype=bool)
        for known in self._marks:
            if len(known):
                place = np.searchsorted(known, found["mark"]) % len(known)
                again |= known[place] == found["mark"]
        self._marks.append(np.sort(found["mark"]))
        if again.any():
            rows = zip(found["file_id"][again], found["line"][again], strict=True)
            examples = context.examples(list(rows)[:EXAMPLES], "repeated decision")
            self._keep(None, [describe_repeated(int(again.sum()), {}, examples)])

    def _keep(self, experiment: str | None, checks: Sequence[CheckResult]) -> None:
        for check in checks:
            if check.status is Status.FAILED:
                self._failures.setdefault((experiment, check.name), check)


def withhold(report: Report, failures: Failures) -> Report:
    """Return the report with these failures: it shows no effect of the experiments that have one.

    A check that failed in the report already keeps its result, which is of all lines.
    """
    if not failures:
        return report
    results = tuple(_withheld(result, failures) for result in report.experiments)
    return replace(report, experiments=results)


def _withheld(result: ExperimentResult, failures: Failures) -> ExperimentResult:
    checks = tuple(_worse(check, failures, result.experiment) for check in result.validity.checks)
    validity = ValidityReport(result.experiment, checks)
    if validity.valid:
        return result
    return ExperimentResult(
        result.experiment, result.control, result.arms, result.window, validity, result.plan,
        result.inference, True, (describe_withheld(validity),), result.excluded,
    )  # fmt: skip


def _worse(check: CheckResult, failures: Failures, experiment: str) -> CheckResult:
    found = failures.get((experiment, check.name)) or failures.get((None, check.name))
    if found is None or check.status is Status.FAILED:
        return check
    return replace(found, explanation=f"{found.explanation} {PROVISIONAL}")


def _say_lost(paths: Sequence[Path]) -> CheckResult:
    files = "1 file is" if len(paths) == 1 else f"{len(paths):,} files are"
    return _failed_lines(
        f"{files} gone, shorter than before or replaced",
        "Lines that were counted are not there any more. The log is read again from its start.",
        tuple(Example(str(path), "gone, shorter or replaced") for path in paths[:EXAMPLES]),
    )


def _say_unreadable(error: InputError) -> CheckResult:
    return _failed_lines(
        "the newest lines cannot be read",
        str(error),
        tuple(Example(fault.where, fault.what) for fault in error.faults[:EXAMPLES]),
    )


def _failed_lines(figure: str, explanation: str, examples: tuple[Example, ...]) -> CheckResult:
    """Make the result that `check_lines` cannot give, because these lines are in no table."""
    question = "Can every line be read?"
    return CheckResult("lines", question, Status.FAILED, figure, explanation, examples=examples)
