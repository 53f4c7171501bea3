"""Effects on the page: the plot, the table, and tables by segment."""

from collections.abc import Sequence
from html import escape

from analysis import formatting
from analysis.effects.results import Effect, ExperimentResult, Segment, Segments
from analysis.rendering import cells
from analysis.rendering.drawing import draw
from analysis.rendering.forest import forest


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
        f'<div class="card"><h2>Effects</h2>{_legend(result)}{plots}</div>'
        f'<div class="card"><div class="scroll">{_table(result)}</div>'
        f'<p class="hint" style="margin-top:12px">{escape(_how(result))}</p></div>'
    )


def _legend(result: ExperimentResult) -> str:
    """The meaning of each colour; a colour that this page cannot show is left out."""
    if not result.validity.valid:
        return '<p class="hint">All grey: a check failed, so no claim holds.</p>'
    shown = (*result.primary, *result.alternatives, *result.secondary, *result.guardrails)
    colours = [
        ("good", "better, and the claim holds", "; guardrail within its margin"),
        ("bad", "worse, and the claim holds", "; guardrail worse by more than its margin"),
        ("calm", "may be chance", "; guardrail not shown to be within its margin"),
    ]
    if any(cells.mood(effect, result) == "warn" for effect in shown):
        colours.insert(
            2,
            (
                "warn",
                "changed, which is neither good nor bad",
                "; guardrail moved by more than its margin",
            ),
        )
    guarded = any(effect.margin for effect in result.guardrails)
    listed = "".join(
        f'<li><span class="dot" style="background:var(--{colour})"></span>'
        f"{escape(text + (guard if guarded else ''))}</li>"
        for colour, text, guard in colours
    )
    return f'<ul class="legend">{listed}</ul>'


def _how(result: ExperimentResult) -> str:
    corrections = "; ".join(
        f"{part}: {how}"
        for part, how in result.corrections.items()
        if part != "segments" or result.segments
    )
    return f"{cells.caption(result)}. Corrections: {corrections}. p is after correction."


def _table(result: ExperimentResult) -> str:
    parts: tuple[tuple[str, Sequence[Effect]], ...] = (
        ("primary", [*result.primary, *result.alternatives]),
        ("others", result.secondary),
        ("guardrails", result.guardrails),
    )
    pairs = {(effect.treatment, effect.control) for effect in result.primary}
    several = len(pairs) > 1
    treatment, control = ("treatment", "control") if several else next(iter(pairs))
    rows = []
    for name, effects in parts:
        if effects:
            rows.append(f'<tr class="part"><td colspan="8">{name}</td></tr>')
        for effect in effects:
            strong = ' class="primary"' if effect in result.primary else ""
            tone = _tone(effect, result)
            guard = f"<small>{escape(cells.guard(effect))}</small>" if effect.margin else ""
            rows.append(
                f'<tr{strong}><td class="head" title="{escape(effect.method)}">'
                f"{escape(cells.label(effect, result))}{guard}</td>"
                + (cell("arms", escape(_arms(effect)), "text") if several else "")
                + cell("lift", cells.lift(effect), tone)
                + cell("interval, %", cells.bounds(effect), tone)
                + cell("p", escape(formatting.p_value(effect.corrected)))
                + cell("difference", cells.difference(effect))
                + cell(control, cells.value(effect.metric, effect.control_mean))
                + cell(treatment, cells.value(effect.metric, effect.treatment_mean))
                + "</tr>"
            )
    arms = '<th class="text">arms</th>' if several else ""
    head = (
        f"<tr><th>metric</th>{arms}<th>lift</th><th>interval, %</th><th>p</th><th>difference</th>"
        f"<th>{escape(control)}</th><th>{escape(treatment)}</th></tr>"
    )
    return f'<table class="stacked">{head}{"".join(rows)}</table>'


def cell(label: str, content: str, kind: str = "") -> str:
    """A cell of a table, which carries its column's name for a phone; `content` is HTML."""
    kinds = f' class="{kind}"' if kind else ""
    return f'<td{kinds} data-label="{escape(label)}">{content}</td>'


def _arms(effect: Effect) -> str:
    return f"{effect.treatment} : {effect.control}"


def segments_card(segments: Segments, result: ExperimentResult) -> str:
    rows = "".join(_segment(segment, result) for segment in segments.segments)
    return (
        f'<div class="card"><h2>By {escape(segments.attribute)}: {escape(segments.treatment)} '
        f"against {escape(segments.control)}</h2>"
        f'<p class="hint">{escape(cells.interaction(segments.corrected, result.plan.alpha))} '
        f"{escape(result.corrections.get('segments', ''))}.</p>"
        '<div class="scroll"><table class="stacked"><tr><th>segment</th><th>listeners</th>'
        f"<th>lift</th><th>interval, %</th><th>p</th></tr>{rows}</table></div></div>"
    )


def _segment(segment: Segment, result: ExperimentResult) -> str:
    effect, tone = segment.effect, _tone(segment.effect, result)
    return (
        f'<tr><td class="head">{escape(segment.value)}</td>'
        + cell("listeners", f"{effect.control_n + effect.treatment_n:,}")
        + cell("lift", cells.lift(effect), tone)
        + cell("interval, %", cells.bounds(effect), tone)
        + cell("p", escape(formatting.p_value(effect.corrected)))
        + "</tr>"
    )


def _tone(effect: Effect, result: ExperimentResult) -> str:
    found = cells.mood(effect, result)
    return f"{found}-text" if found else ""
