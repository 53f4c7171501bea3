"""The effects of a report as rows, and the rows as CSV and as Markdown."""

import csv
import io
import math
from collections.abc import Iterator, Sequence
from typing import Any

from analysis.effects.results import Effect, ExperimentResult, Report
from analysis.formatting import p_value
from analysis.rendering import cells

COLUMNS = (
    "experiment", "valid", "part", "metric", "label", "unit", "better", "control", "treatment",
    "control_n", "treatment_n", "control_mean", "treatment_mean", "difference", "difference_low",
    "difference_high", "lift", "lift_low", "lift_high", "p", "corrected_p", "confidence", "claim",
    "margin", "guardrail", "segment_of", "segment", "method", "note",
)  # fmt: skip
PARTS = ("primary", "alternatives", "secondary", "guardrails")
Row = dict[str, Any]


def effect_rows(report: Report) -> list[Row]:
    """One row for each effect of each experiment that is not withheld, segments included."""
    return [
        _row(result, part, effect, *segment)
        for result in report.experiments
        for part, effect, *segment in _effects(result)
    ]


def to_csv(report: Report) -> str:
    """The rows as CSV; numbers have nine digits, and a missing value is empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    for row in effect_rows(report):
        writer.writerow({name: _plain(value) for name, value in row.items()})
    return out.getvalue()


def to_markdown(report: Report) -> str:
    """The verdict and one table for each experiment, as a page of a wiki or an issue shows it."""
    return "\n".join(_section(result) for result in report.experiments)


def _effects(result: ExperimentResult) -> Iterator[tuple[Any, ...]]:
    for part in PARTS:
        for effect in getattr(result, part):
            yield part, effect
    for segments in result.segments:
        for segment in segments.segments:
            yield "segments", segment.effect, segments.attribute, segment.value


def _row(
    result: ExperimentResult, part: str, effect: Effect, attribute: str = "", segment: str = ""
) -> Row:
    difference, lift = effect.difference, effect.lift
    return {
        "experiment": result.experiment,
        "valid": result.validity.valid,
        "part": part,
        "metric": effect.metric.name,
        "label": effect.metric.label,
        "unit": effect.metric.unit,
        "better": effect.metric.better,
        "control": effect.control,
        "treatment": effect.treatment,
        "control_n": effect.control_n,
        "treatment_n": effect.treatment_n,
        "control_mean": effect.control_mean,
        "treatment_mean": effect.treatment_mean,
        "difference": difference and difference.estimate,
        "difference_low": difference and difference.low,
        "difference_high": difference and difference.high,
        "lift": lift and lift.estimate,
        "lift_low": lift and lift.low,
        "lift_high": lift and lift.high,
        "p": effect.p,
        "corrected_p": effect.corrected,
        "confidence": effect.confidence,
        "claim": effect.claim,
        "margin": effect.margin or None,
        "guardrail": effect.guard,
        "segment_of": attribute or None,
        "segment": segment if attribute else None,
        "method": effect.method,
        "note": effect.note,
    }


def _plain(value: Any) -> Any:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return f"{value:.9g}" if math.isfinite(value) else ""
    return value


def _section(result: ExperimentResult) -> str:
    lines = [f"## {_escape(result.experiment)}", ""]
    lines += [f"**{_escape(sentence)}**  " for sentence in result.verdicts]
    lines += ["", f"Validity: {cells.check_counts(result.validity) or 'no check was made'}."]
    if not result.validity.valid and not result.withheld:
        lines.append("**INVALID: the effects below prove nothing.**")
    if result.primary:
        lines += ["", *_table(result)]
    lines += [f"\n{_escape(sentence)}" for _, sentence in cells.guardrails(result)]
    return "\n".join(lines) + "\n"


def _table(result: ExperimentResult) -> Sequence[str]:
    head = "| metric | control | treatment | control value | treatment value | difference | lift |"
    lines = [f"{head} interval, % | p |", "|---|---|---|--:|--:|--:|--:|---|--:|"]
    for part in PARTS:
        for effect in getattr(result, part):
            label = cells.label(effect, result)
            bold = "**" if part == "primary" else ""
            line = (
                f"{bold}{_escape(label)}{bold}",
                _escape(effect.control),
                _escape(effect.treatment),
                cells.value(effect.metric, effect.control_mean),
                cells.value(effect.metric, effect.treatment_mean),
                cells.difference(effect),
                cells.lift(effect),
                _escape(cells.bounds(effect)),
                _escape(p_value(effect.corrected)),
            )
            lines.append(f"| {' | '.join(line)} |")
    return lines


def _escape(text: str) -> str:
    """Text as Markdown shows it: no cell ends early, and nothing becomes a link or a tag."""
    for sign in "\\|<[]*_`":
        text = text.replace(sign, f"\\{sign}")
    return text.replace("\n", " ")
