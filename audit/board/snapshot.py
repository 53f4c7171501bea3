"""The snapshot of all experiments: what `segue report` says of a log, as the board shows it."""

import math
from collections.abc import Collection, Mapping
from typing import Any

from analysis.checks.result import CheckResult
from analysis.effects.metrics import SESSION_TIME
from analysis.effects.results import (
    ALL_SO_FAR,
    Effect,
    EffectByDay,
    EffectOverTime,
    ExperimentResult,
    PlannedSize,
    Report,
)
from analysis.statistics.contrast import Interval
from audit.board.status import status_of

GUIDE = "board/guide#"
"""The page that explains the checks, from the page of the board."""
DAY_MS = 86_400_000
ENDED = "The config file does not have it any more."
PARTS = {"primary": "primary", "secondary": "secondary", "guardrails": "guardrail"}
"""Table of a report -> the role of its effects."""


def snapshot_of(
    report: Report,
    questions: Mapping[str, str | None],
    configured: Collection[str] | None = None,
) -> dict[str, Any]:
    """Return the part of the snapshot that a report says.

    Args:
        report: The report.
        questions: Experiment -> its `question` in the config.
        configured: The experiments of the config file; None without a file.
    """
    lines = sum(lines for _, _, lines, _ in report.provenance.files)
    until_ms = max((result.window[1] for result in report.experiments), default=None)
    return {
        "log": {"lines": lines, "files": len(report.provenance.files), "until_ms": until_ms},
        "problem": None,
        "experiments": [
            _experiment(
                result,
                questions.get(result.experiment),
                configured is None or result.experiment in configured,
            )
            for result in report.experiments
        ],
    }


def _experiment(result: ExperimentResult, question: str | None, in_config: bool) -> dict[str, Any]:
    status, reason = status_of(result)
    return {
        "name": result.experiment,
        "question": question,
        "status": status,
        "reason": reason if in_config else f"{reason} {ENDED}",
        "control": result.control,
        "window": list(result.window),
        "arms": _arms(result),
        "plan": _plan(result.plan, result.window),
        "inference": result.inference,
        "validity": {
            "valid": result.validity.valid,
            "lights": [_light(check) for check in result.validity.checks],
        },
        "withheld": result.withheld,
        "verdicts": list(result.verdicts),
        "effects": [
            _effect(effect, role)
            for part, role in PARTS.items()
            for effect in getattr(result, part)
        ],
        "over_time": [_over_time(each) for each in result.over_time],
        "by_day": [_by_day(each) for each in result.by_day],
        "arrivals": _arrivals(result),
    }


def _arms(result: ExperimentResult) -> list[dict[str, Any]]:
    means = {} if result.withheld else _mean_times(result)
    failures, degraded = (_numbers(result, name) for name in ("failures", "degraded"))
    return [
        {
            "name": arm.name,
            "strategy": arm.strategy,
            "strategy_type": arm.strategy_type,
            "planned_share": _number(arm.weight),
            "seen_share": _number(arm.share),
            "listeners": arm.listeners,
            "sessions": arm.sessions,
            "open_sessions": arm.open_sessions,
            "answers": arm.answers,
            "mean_time": _number(means.get(arm.name)),
            "fallback_share": _number(arm.fallbacks),
            "failure_share": _number(failures.get(arm.name)),
            "degraded_share": _number(degraded.get(arm.name, 0.0)),
            "latency_ms": {name: _number(value) for name, value in arm.latency_ms.items()},
        }
        for arm in result.arms
    ]


def _mean_times(result: ExperimentResult) -> dict[str, float | None]:
    """Return the mean session time by arm, as it is and not adjusted by the past."""
    found: dict[str, float | None] = {}
    for effect in (*result.primary, *result.secondary, *result.alternatives):
        if effect.metric.name != SESSION_TIME.name or effect.method.startswith(ALL_SO_FAR):
            continue
        found |= {effect.control: effect.control_mean, effect.treatment: effect.treatment_mean}
    return found


def _numbers(result: ExperimentResult, check: str) -> Mapping[str, Any]:
    return next((each.numbers for each in result.validity.checks if each.name == check), {})


def _plan(plan: PlannedSize, window: tuple[int, int]) -> dict[str, Any]:
    left = None if plan.listeners is None else max(0, plan.listeners - plan.seen)
    days = (window[1] - window[0]) / DAY_MS
    rate = plan.seen / days if days > 0 else 0.0
    return {
        "listeners": plan.listeners,
        "source": plan.source,
        "seen": plan.seen,
        "left": left,
        "days_left": None if left is None or not rate else _number(left / rate),
        "alpha": plan.alpha,
        "power": plan.power,
        "metric": plan.metric,
        "reached": plan.reached,
    }


def _light(check: CheckResult) -> dict[str, Any]:
    return {
        "name": check.name,
        "status": check.status.value,
        "question": check.question,
        "figure": check.figure,
        "sentence": check.explanation or f"{check.question} {check.figure}".strip(),
        "link": f"{GUIDE}{check.name}",
        "examples": [{"where": each.where, "what": each.what} for each in check.examples],
    }


def _effect(effect: Effect, role: str) -> dict[str, Any]:
    metric = effect.metric
    return {
        "control": effect.control,
        "treatment": effect.treatment,
        "metric": {
            "name": metric.name,
            "label": metric.label,
            "unit": metric.unit,
            "better": metric.better,
        },
        "role": role,
        "control_mean": _number(effect.control_mean),
        "treatment_mean": _number(effect.treatment_mean),
        "difference": interval(effect.difference),
        "lift": interval(effect.lift),
        "confidence": _number(effect.confidence),
        "method": effect.method,
        "claim": effect.claim,
        "good": effect.good,
        "guard": effect.guard,
        "margin": effect.margin,
        "note": effect.note,
    }


def _over_time(effect: EffectOverTime) -> dict[str, Any]:
    starts = [each.from_ms for each in effect.stretches]
    return {
        "control": effect.control,
        "treatment": effect.treatment,
        "step_ms": starts[1] - starts[0] if len(starts) > 1 else None,
        "series": [
            {
                "from_ms": each.from_ms,
                "so_far": interval(each.so_far),
                "alone": interval(each.alone),
            }
            for each in effect.stretches
        ],
    }


def _by_day(effect: EffectByDay) -> dict[str, Any]:
    return {
        "control": effect.control,
        "treatment": effect.treatment,
        "series": [
            {"day": each.day, "listeners": each.listeners, "lift": interval(each.lift)}
            for each in effect.days
        ],
    }


def _arrivals(result: ExperimentResult) -> dict[str, Any] | None:
    if result.charts is None:
        return None
    return {
        "step_ms": result.charts.step_ms,
        "series": [
            {"from_ms": from_ms, "listeners": dict(arms)}
            for from_ms, arms in result.charts.arrivals
        ],
    }


def interval(found: Interval | None) -> dict[str, float | None] | None:
    """Return an interval as plain values."""
    if found is None:
        return None
    return {
        "estimate": _number(found.estimate),
        "low": _number(found.low),
        "high": _number(found.high),
    }


def _number(value: float | None) -> float | None:
    """Return nine digits, as the JSON of a report has them; None for what JSON cannot say."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.9g}")
