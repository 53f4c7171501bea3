"""The report of a log: every experiment in it, and what the report was made of."""

from collections.abc import Callable, Sequence

from analysis.checks.result import ValidityReport
from analysis.effects.experiments import analyse_experiment
from analysis.effects.report_options import ReportOptions
from analysis.effects.results import Report, ReportProvenance
from core.allocation import Experiment
from events.reader import EventLog


def report(
    log: EventLog,
    validity_reports: Sequence[ValidityReport],
    definition_of: Callable[[str], Experiment | None],
    options_of: Callable[[str], ReportOptions],
    provenance: ReportProvenance,
) -> Report:
    """Findings of every experiment that has a certificate.

    Args:
        log: The log that was read.
        validity_reports: What the gates said; in the order in which experiments are shown.
        definition_of: An experiment's definition by its name; None where it is unknown.
        options_of: What the reader wants to know of an experiment, by its name.
        provenance: What the report is made of.

    Raises:
        InputError: An arm is not there, or a metric's expression is faulty.
    """
    names = [each.experiment for each in validity_reports if each.experiment is not None]
    found = [
        analyse_experiment(log, name, validity, definition_of(name), options_of(name))
        for name, validity in zip(names, validity_reports, strict=True)
    ]
    return Report(provenance, tuple(found))


def provenance_of(log: EventLog, version: str, command: str) -> ReportProvenance:
    """What the report of a log is made of."""
    return ReportProvenance(
        version=version,
        command=command,
        files=log.query("SELECT path, format, lines, checksum FROM files ORDER BY file_id"),
        configs=dict(
            log.query(
                "SELECT config, count(*) FROM events WHERE config IS NOT NULL "
                "GROUP BY config ORDER BY config"
            )
        ),
        dropped=log.query("SELECT reason, lines, examples FROM dropped ORDER BY reason"),
    )


def find_main_config(log: EventLog, experiment: str) -> str | None:
    """Digest of the config that decided most of an experiment's events; None if none is named."""
    found = log.query(
        "SELECT e.config FROM events AS e INNER JOIN assignments AS a "
        "ON e.experiments = a.experiments WHERE a.experiment = ? AND e.config IS NOT NULL "
        "GROUP BY e.config ORDER BY count(*) DESC, e.config LIMIT 1",
        [experiment],
    )
    return str(found[0][0]) if found else None
