"""The judgement of a pilot: the report's effect on session time, if the log passes its checks."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.effects.results import ExperimentResult
from analysis.report import LogSelection, ReportRequest
from audit.log_report import report_log
from core.errors import InputError
from core.progress import SILENT, Progress
from engine.settings.learnt_artifacts import Pilot
from engine.settings.pilot import CONTROL
from learning.promotion_check import Finding, fails_checks, judge_lift


def judge_pilot(
    logs: Sequence[Path], pilot: Pilot, bound: float, progress: Progress = SILENT
) -> Finding:
    """Judge whether listeners with the version hear less by more than the bound.

    Its interval holds for any number of looks, so the loop may look every round.
    """
    selection = LogSelection(logs, since_ms=pilot.since_ms, experiments=[pilot.name])
    request = ReportRequest(control=CONTROL)
    try:
        report = report_log(selection, request, "segue learn", replay=False, progress=progress)
    except InputError as error:
        what = error.faults[0].what.split(". ")[0]
        return Finding("pilot", "unclear", f"the log tells nothing yet: {what}")
    return _judge(report.experiments[0], bound)


def _judge(result: ExperimentResult, bound: float) -> Finding:
    listeners = {arm.name: arm.listeners for arm in result.arms}
    figures: dict[str, Any] = {"listeners": listeners}
    if result.withheld:
        failed = [check.name for check in result.validity.failed]
        return Finding("pilot", "unclear", fails_checks(failed), figures)
    if not result.primary or result.primary[0].lift is None:
        return Finding("pilot", "unclear", "too few listeners have played it", figures)
    effect = result.primary[0]
    assert effect.lift is not None
    lift = (effect.lift.estimate, effect.lift.low, effect.lift.high)
    means = {"control": effect.control_mean, "treatment": effect.treatment_mean}
    estimate, low, high = lift
    figures |= {"lift": estimate, "low": low, "high": high, "mean": means}
    return judge_lift("pilot", lift, bound, "the lift of session time in the pilot", figures)
