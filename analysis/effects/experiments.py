"""The analysis of one experiment: validity first, then the effects."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from analysis.checks.result import ValidityReport
from analysis.effects.arm_summary import order_arms, summarise_arms
from analysis.effects.experiment_analysis import ExperimentAnalysis
from analysis.effects.listener_table import ListenerTable
from analysis.effects.report_options import ReportOptions
from analysis.effects.results import ExperimentResult, PlannedSize
from analysis.effects.verdict import describe_withheld
from core.allocation import Experiment
from core.errors import InputError, unknown_name
from events.reader import EventLog


def analyse_experiment(
    log: EventLog,
    experiment: str,
    validity: ValidityReport,
    definition: Experiment | None,
    options: ReportOptions,
    types: Mapping[str, str] | None = None,
) -> ExperimentResult:
    """Analyse one experiment of a log.

    Args:
        log: The log that was read.
        experiment: Name of the experiment.
        validity: The results of its checks.
        definition: The definition in config; None if the config is unknown.
        options: What the reader wants to know.
        types: Strategy -> its type, in the config that decided.

    Raises:
        InputError: The control arm is unknown, or a metric's expression is faulty.
    """
    arms = order_arms(log.experiments()[experiment], definition)
    control = options.control or arms[0]
    if control not in arms:
        raise InputError.one("--control", unknown_name("arm", control, arms))
    with ListenerTable(log, experiment, arms) as listeners:
        return _analyse(listeners, control, validity, definition, options, types or {})


def _analyse(
    listeners: ListenerTable,
    control: str,
    validity: ValidityReport,
    definition: Experiment | None,
    options: ReportOptions,
    types: Mapping[str, str],
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
    plan = PlannedSize(options.planned, options.planned_by, listeners.count)
    excluded = dict(
        listeners.query(
            "SELECT reason, count(*) FROM excluded WHERE experiment = ? GROUP BY reason "
            "ORDER BY reason",
            [experiment],
        )
    )
    allocation = summarise_arms(listeners, definition, answers_known, types)
    inference: Literal["fixed", "always-valid"] = "fixed" if plan.reached else "always-valid"
    withheld = not validity.valid and not options.even_if_invalid
    base = ExperimentResult(
        experiment, control, allocation, window, validity, plan, inference, withheld,
        (describe_withheld(validity),), excluded,
    )  # fmt: skip
    if withheld:
        return base
    if len(listeners.arms) < 2:
        alone = f"only arm {control} has listeners: there is nothing to compare"
        return replace(base, verdicts=(alone,))
    return ExperimentAnalysis(base, listeners, options, answers_known).run()
