"""The analysis of one experiment: validity first, then the effects."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from analysis.checks.result import ValidityReport
from analysis.effects.arm_summary import order_arms, summarise_arms
from analysis.effects.experiment_analysis import ExperimentAnalysis
from analysis.effects.listener_table import ListenerTable
from analysis.effects.plans import ChosenPlan
from analysis.effects.report_options import ReportOptions
from analysis.effects.results import ExperimentResult, PlannedSize
from analysis.effects.verdict import describe_withheld
from core.allocation import Experiment
from core.errors import InputError, unknown_name
from events.queries import read_query
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
    window = listeners.query(read_query("analysis", "window"), {"experiment": experiment})[0]
    answers_known = bool(
        listeners.one(
            'SELECT coalesce(bool_and("schema" > 0), FALSE) FROM arm_sessions WHERE experiment = ?',
            [experiment],
        )
    )
    plan = _hold_to_plan(listeners, options.plan)
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
    if plan.until_ms is None:
        return ExperimentAnalysis(base, listeners, listeners, options, answers_known).run()
    with ListenerTable(listeners.log, experiment, listeners.arms, plan.until_ms) as planned:
        return ExperimentAnalysis(base, planned, listeners, options, answers_known).run()


def _hold_to_plan(listeners: ListenerTable, chosen: ChosenPlan) -> PlannedSize:
    """Compare the listeners with the plan, and find the moment at which the planned ones were in.

    Effects count the sessions that began up to that moment, so every later look gives the same
    answer. No arm acts before its listener enters, so no arm can move the moment.
    """
    plan, seen = chosen.plan, listeners.count
    until_ms, counted = None, seen
    if plan.listeners is not None and seen > plan.listeners:
        until_ms = listeners.one(
            "SELECT first_ms FROM listener_table ORDER BY first_ms LIMIT 1 OFFSET ?",
            [plan.listeners - 1],
        )
        counted = listeners.one(
            "SELECT count(*) FROM listener_table WHERE first_ms <= ?", [until_ms]
        )
    return PlannedSize(
        plan.listeners, chosen.source, seen, counted, until_ms, plan.alpha, plan.power,
        chosen.sealed_listeners, plan.metric or "",
    )  # fmt: skip
