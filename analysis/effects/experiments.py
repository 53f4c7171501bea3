"""One experiment of a log: validity first, and only then what its effects are."""

from dataclasses import replace
from typing import Literal

from analysis.checks.result import ValidityReport
from analysis.effects import verdict
from analysis.effects.arm_summary import in_order, summaries
from analysis.effects.experiment_analysis import ExperimentAnalysis
from analysis.effects.listener_table import ListenerTable
from analysis.effects.report_options import ReportOptions
from analysis.effects.results import ExperimentResult, PlannedSize
from core.allocation import Experiment
from core.errors import InputError, unknown_name
from events.reader import EventLog


def analyse_experiment(
    log: EventLog,
    experiment: str,
    certificate: ValidityReport,
    definition: Experiment | None,
    asked: ReportOptions,
) -> ExperimentResult:
    """Everything about one experiment of a log.

    Args:
        log: The log that was read.
        experiment: Which experiment.
        certificate: What the gates said of it.
        definition: As config has it; None where the log stands alone.
        asked: What the reader wants to know.

    Raises:
        InputError: An arm is not there, or a metric's expression is faulty.
    """
    arms = in_order(log.experiments()[experiment], definition)
    control = asked.control or arms[0]
    if control not in arms:
        raise InputError.one("--control", unknown_name("arm", control, arms))
    with ListenerTable(log, experiment, arms) as listeners:
        return _analyse(listeners, control, certificate, definition, asked)


def _analyse(
    listeners: ListenerTable,
    control: str,
    certificate: ValidityReport,
    definition: Experiment | None,
    asked: ReportOptions,
) -> ExperimentResult:
    experiment = listeners.experiment
    window = listeners.query(
        "SELECT min(at_ms), max(at_ms) FROM exposures WHERE experiment = ?", [experiment]
    )[0]
    answers_known = bool(
        listeners.one(
            'SELECT coalesce(bool_and("schema" > 0), FALSE) FROM arm_sessions WHERE experiment = ?',
            [experiment],
        )
    )
    plan = PlannedSize(asked.planned, asked.planned_by, listeners.count)
    excluded = dict(
        listeners.query(
            "SELECT reason, count(*) FROM excluded WHERE experiment = ? GROUP BY reason "
            "ORDER BY reason",
            [experiment],
        )
    )
    allocation = summaries(listeners, definition, answers_known)
    rule: Literal["fixed", "always-valid"] = "fixed" if plan.reached else "always-valid"
    kept_back = not certificate.valid and not asked.even_if_invalid
    base = ExperimentResult(
        experiment, control, allocation, window, certificate, plan, rule, kept_back,
        (verdict.withheld(certificate),), excluded,
    )  # fmt: skip
    if kept_back:
        return base
    if len(listeners.arms) < 2:
        alone = f"only arm {control} was seen: there is nothing to compare"
        return replace(base, verdicts=(alone,))
    return ExperimentAnalysis(base, listeners, asked, answers_known).findings()
