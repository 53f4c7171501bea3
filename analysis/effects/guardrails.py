"""Guardrails: metrics that must not get worse by more than a margin, tested for non-inferiority."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from analysis.effects.metrics import Metric
from analysis.effects.results import Effect
from analysis.statistics.contrast import Interval
from core.errors import Faults, unknown_name

ALIKE = 300
"""Listeners an arm from which two arms without any difference are within every margin: no case
among 300 bounds a share by 1 % (rule of three)."""

_MARGIN = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|%|pp)?")


@dataclass(frozen=True, slots=True)
class Margin:
    """By how much a guardrail may get worse.

    Attributes:
        size: Positive; in the metric's unit, or as a share of the control's value.
        relative: Whether it is a share of the control's value.
        text: As a reader writes it: `1 ms`, `5 %`.
    """

    size: float
    relative: bool
    text: str


DEFAULT_MARGINS: Mapping[str, str] = {
    "sessions": "5 %",
    "fallbacks": "1 pp",
    "latency": "1 ms",
    "latency_p99": "1 ms",
}
"""Margins where the config has none. A listener hears no millisecond; one answer in a hundred by a
fallback and one session in twenty are what an experiment of some thousand listeners can show."""


def parse_margins(
    given: Mapping[str, str | float], metrics: Iterable[Metric], faults: Faults, where: str
) -> dict[str, Margin]:
    """The margin of every metric that has one: those of the config, and the defaults.

    Args:
        given: Metric -> `1 ms`, `5 %` (of the control's value), `1 pp` (percentage points, for
            shares), or a number in the metric's unit.
        metrics: The metrics that exist.
        faults: Gets a fault for each that is no margin.
        where: What to call their origin in a fault.
    """
    units = {metric.name: metric.unit for metric in metrics}
    found = {}
    for name, said in {**DEFAULT_MARGINS, **given}.items():
        if name not in units:
            if name in given:
                faults.add(f"{where}.{name}", unknown_name("metric", name, units))
            continue
        margin = _parse(str(said).strip(), units[name])
        if margin is None:
            faults.add(
                f"{where}.{name}",
                f"must be a margin above 0: a number, `5 %` of the control's value, `1 ms` for a "
                f"latency, `1 pp` for a share; got {said!r}",
            )
        else:
            found[name] = margin
    return found


def _parse(text: str, unit: str) -> Margin | None:
    parts = _MARGIN.fullmatch(text)
    if parts is None or not float(parts[1]):
        return None
    size, said = float(parts[1]), parts[2]
    if (said == "ms" and unit != "ms") or (said == "pp" and unit != "share"):
        return None
    if said is None and unit == "ms":
        text = f"{text} ms"
    return Margin(size / 100 if said in ("%", "pp") else size, said == "%", text)


def with_margins(effects: Iterable[Effect], margins: Mapping[str, Margin]) -> list[Effect]:
    """Guardrails with what their margin says of each: within it, beyond it, or not shown."""
    return [
        replace(effect, margin=margin.text, guard=_judge(effect, margin))
        if (margin := margins.get(effect.metric.name))
        else effect
        for effect in effects
    ]


def _judge(effect: Effect, margin: Margin) -> Literal["within", "beyond", "unclear"] | None:
    """Place the interval: harm is all of it beyond the margin, safety is none of it beyond."""
    interval = effect.lift if margin.relative else effect.difference
    if interval is None:
        alike = effect.control_mean is not None and effect.control_mean == effect.treatment_mean
        enough = min(effect.control_n, effect.treatment_n) >= ALIKE
        return "within" if effect.difference is None and alike and enough else None
    if effect.one_look:
        return "unclear"  # at the tenth look, an interval for one look shows nothing
    least, most = _harm(interval, effect.metric)
    return "within" if most < margin.size else "beyond" if least > margin.size else "unclear"


def _harm(interval: Interval, metric: Metric) -> tuple[float, float]:
    """The least and the greatest harm that the interval allows; a gain is a negative harm."""
    if metric.better == "less":
        return interval.low, interval.high
    if metric.better == "more":
        return -interval.high, -interval.low
    nearest = 0.0 if interval.low <= 0 <= interval.high else min(map(abs, _ends(interval)))
    return nearest, max(map(abs, _ends(interval)))


def _ends(interval: Interval) -> tuple[float, float]:
    return interval.low, interval.high
