"""Effects on the page: the plot, the table, and tables by segment."""

from collections.abc import Sequence
from html import escape

from analysis import formatting
from analysis.effects.results import Effect, ExperimentResult, Segments
from analysis.rendering import cells
from analysis.rendering.drawing import draw
from analysis.rendering.forest import forest, label_of


def effects_card(result: ExperimentResult, key: str) -> str:
    if not result.primary:
        return ""
    alt = "Lift of every metric with its interval. " + "; ".join(
        f"{effect.metric.label} {effect.treatment} {cells.lift(effect)} {cells.bounds(effect)}"
        for effect in result.primary
    )
    drawn = any(effect.lift for effect in (*result.primary, *result.secondary, *result.guardrails))
    plots = "".join(
        f'<div class="{size}">'
        + draw(forest(result, size == "wide"), f"{key}-forest-{size}", alt)
        + "</div>"
        for size in ("wide", "narrow")
        if drawn
    )
    return (
        '<div class="card"><h2>Effects</h2>'
        '<p class="hint">Green or red only if the claim holds after correction; '
        f"grey may be chance.</p>{plots}</div>"
        f'<div class="card"><div class="scroll">{_table(result)}</div>'
        f'<p class="hint" style="margin-top:12px">{escape(_how(result))}</p></div>'
    )


def _how(result: ExperimentResult) -> str:
    kind = (
        "Intervals are fixed: the planned size is reached."
        if result.inference == "fixed"
        else "Intervals are always-valid: they hold at every look."
    )
    corrections = "; ".join(
        f"{part}: {how}"
        for part, how in result.corrections.items()
        if part != "segments" or result.segments
    )
    return f"{kind} Corrections: {corrections}. p is after correction."


def _table(result: ExperimentResult) -> str:
    parts: tuple[tuple[str, Sequence[Effect]], ...] = (
        ("primary", [*result.primary, *result.alternatives]),
        ("others", result.secondary),
        ("guardrails", result.guardrails),
    )
    pairs = {(effect.treatment, effect.control) for effect in result.primary}
    rows = []
    for name, effects in parts:
        if effects:
            rows.append(f'<tr class="part"><td colspan="7">{name}</td></tr>')
        for effect in effects:
            strong = ' class="primary"' if effect in result.primary else ""
            tone = _tone(effect, result)
            arms = f'<td class="text">{escape(effect.treatment)} : {escape(effect.control)}</td>'
            rows.append(
                f'<tr{strong}><td title="{escape(effect.method)}">'
                f"{escape(label_of(effect, result))}</td>{arms if len(pairs) > 1 else ''}"
                f"<td{tone}>{cells.lift(effect)}</td><td{tone}>{cells.bounds(effect)}</td>"
                f"<td>{escape(formatting.p_value(effect.corrected))}</td>"
                f"<td>{cells.value(effect.metric, effect.control_mean)}</td>"
                f"<td>{cells.value(effect.metric, effect.treatment_mean)}</td></tr>"
            )
    if len(pairs) > 1:
        arms, control, treatment = '<th class="text">arms</th>', "control", "treatment"
    else:
        arms, (treatment, control) = "", next(iter(pairs))
    head = (
        f"<tr><th>metric</th>{arms}<th>lift</th><th>interval, %</th><th>p</th>"
        f"<th>{escape(control)}</th><th>{escape(treatment)}</th></tr>"
    )
    return f"<table>{head}{''.join(rows)}</table>"


def segments_card(segments: Segments, result: ExperimentResult) -> str:
    rows = "".join(
        f"<tr><td>{escape(segment.value)}</td>"
        f"<td>{segment.effect.control_n + segment.effect.treatment_n:,}</td>"
        f"<td{_tone(segment.effect, result)}>{cells.lift(segment.effect)}</td>"
        f"<td{_tone(segment.effect, result)}>{cells.bounds(segment.effect)}</td>"
        f"<td>{escape(formatting.p_value(segment.effect.corrected))}</td></tr>"
        for segment in segments.segments
    )
    return (
        f'<div class="card"><h2>By {escape(segments.attribute)}: {escape(segments.treatment)} '
        f"against {escape(segments.control)}</h2>"
        f'<p class="hint">{escape(cells.interaction(segments.corrected))} '
        f"{escape(result.corrections.get('segments', ''))}.</p>"
        '<div class="scroll"><table><tr><th>segment</th><th>listeners</th><th>lift</th>'
        f"<th>interval, %</th><th>p</th></tr>{rows}</table></div></div>"
    )


def mood_of(effect: Effect, result: ExperimentResult) -> str:
    """Good or bad if the claim holds; any further row has no colour."""
    if effect.claim is None or not result.validity.valid:
        return ""
    return {True: "good", False: "bad", None: "warn"}[effect.good]


def _tone(effect: Effect, result: ExperimentResult) -> str:
    found = mood_of(effect, result)
    return f' class="{found}-text"' if found else ""
