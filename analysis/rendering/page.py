"""A report as one self-contained page: no script, no network, the same bytes every time."""

from html import escape
from importlib import resources
from string import Template

from analysis import formatting
from analysis.effects.results import ArmSummary, ExperimentResult, Report
from analysis.rendering import cells
from analysis.rendering.cards import chart_cards
from analysis.rendering.checks_card import checks_card
from analysis.rendering.drawing import arm_colour
from analysis.rendering.effects import cell, effects_card, segments_card


def page(report: Report) -> str:
    """The whole page as HTML."""
    template = (resources.files("analysis") / "rendering" / "page.html").read_text(encoding="utf-8")
    names = ", ".join(result.experiment for result in report.experiments)
    return Template(template).substitute(
        title=escape(f"{names}: report"),
        contents=_contents(report),
        experiments="\n".join(
            _experiment(result, f"e{place}") for place, result in enumerate(report.experiments)
        ),
        provenance=_origin(report),
    )


def _contents(report: Report) -> str:
    """A line for each experiment that leads to it; empty for a single one."""
    if len(report.experiments) < 2:
        return ""
    lines = "".join(
        f'<li><a href="#e{place}">{escape(result.experiment)}</a> '
        f'<span class="figure">{escape(_in_short(result))}</span></li>'
        for place, result in enumerate(report.experiments)
    )
    return f'<nav class="card contents"><h2>Experiments</h2><ul>{lines}</ul></nav>'


def _in_short(result: ExperimentResult) -> str:
    """The primary effects and the validity of an experiment, without any sentence."""
    if result.withheld:
        return "INVALID, effects withheld"
    effects = "; ".join(
        f"{effect.treatment} {cells.lift(effect)} {cells.bounds(effect)}"
        for effect in result.primary
    )
    return f"{effects or 'nothing to compare'}, {'valid' if result.validity.valid else 'INVALID'}"


def _experiment(result: ExperimentResult, key: str) -> str:
    parts = [
        f'<section class="experiment" id="{key}">',
        '<p class="over">Segue report · experiment</p>',
        f"<h1>{escape(result.experiment)}</h1>",
        f'<p class="under">{formatting.span(result.window)}</p>',
        _verdict(result),
        checks_card(result),
    ]
    if not result.withheld:
        if not result.validity.valid:
            parts.append(
                '<div class="card banner">INVALID: a check failed. '
                "The effects below prove nothing.</div>"
            )
        parts += [effects_card(result, key), chart_cards(result, key)]
        parts += [segments_card(segments, result) for segments in result.segments]
    parts += [_allocation(result), _notes(result), "</section>"]
    return "\n".join(parts)


def _verdict(result: ExperimentResult) -> str:
    moods = {cells.mood(effect, result) for effect in result.primary}
    mood = "bad" if result.withheld else moods.pop() if len(moods) == 1 else ""
    tones = [cells.mood(effect, result) for effect in result.primary] or [mood]
    sentences = "".join(
        f'<p class="{tone}">{escape(sentence)}</p>'
        for sentence, tone in zip(result.verdicts, tones, strict=True)
    )
    plan = result.plan
    facts = [
        f"{plan.seen:,} listeners",
        f"{sum(arm.sessions for arm in result.arms):,} sessions",
    ]
    if plan.listeners is not None:
        facts.append(f"{plan.listeners:,} planned")
    if not result.withheld:
        kind = formatting.confidence(plan.claim_alpha)
        facts.append(f"{result.inference} {kind} intervals")
    facts.append(f"control {result.control}")
    facts += [f"{count:,} left out: {reason}" for reason, count in result.excluded.items()]
    listed = "".join(f"<li>{escape(fact)}</li>" for fact in facts)
    return f'<div class="card verdict {mood}">{sentences}<ul>{listed}</ul></div>'


def _allocation(result: ExperimentResult) -> str:
    arms = [arm.name for arm in result.arms]
    rows = "".join(
        f'<tr><td class="head"><span class="dot" style="background:{arm_colour(arm.name, arms)}">'
        f"</span>{escape(arm.name)}</td>"
        + cell("strategy", escape(_strategy(arm)), "text")
        + cell("promised", "–" if arm.weight is None else f"{arm.weight:.1%}")
        + cell("share", f"{arm.share:.1%}")
        + cell("listeners", f"{arm.listeners:,}")
        + cell("sessions", f"{arm.sessions:,}")
        + cell("still open", f"{arm.open_sessions:,}")
        + cell("answers", f"{arm.answers:,}")
        + cell("reach", cells.coverage(arm))
        + "</tr>"
        for arm in result.arms
    )
    return (
        '<div class="card"><h2>Allocation</h2><p class="hint">Reach: different tracks recommended, '
        "at as many answers as the smallest arm gave, and their share of the catalog.</p>"
        '<div class="scroll"><table class="stacked"><tr><th>arm</th><th class="text">strategy</th>'
        "<th>promised</th><th>share</th><th>listeners</th><th>sessions</th><th>still open</th>"
        f"<th>answers</th><th>reach</th></tr>{rows}</table></div></div>"
    )


def _strategy(arm: ArmSummary) -> str:
    if arm.strategy is None or arm.strategy_type in (None, arm.strategy):
        return arm.strategy or "–"
    return f"{arm.strategy}, {arm.strategy_type}"


def _notes(result: ExperimentResult) -> str:
    if not result.notes:
        return ""
    listed = "".join(f"<li>{escape(note)}</li>" for note in result.notes)
    return f'<div class="card"><h2>Notes</h2><ul class="notes">{listed}</ul></div>'


def _origin(report: Report) -> str:
    provenance = report.provenance
    files = "".join(
        f'<tr><td><code>{escape(path)}</code></td><td class="text">{escape(form)}</td>'
        f'<td>{lines:,}</td><td class="text"><code>{escape(checksum)}</code></td></tr>'
        for path, form, lines, checksum in provenance.files
    )
    configs = "".join(
        f"<li><code>{escape(digest)}</code> decided {count:,} events</li>"
        for digest, count in provenance.configs.items()
    )
    dropped = "".join(
        f"<li>{lines:,} lines dropped: {escape(reason)}, as at <code>{escape(places[0])}</code>"
        for reason, lines, places in provenance.dropped
    )
    return (
        '<footer class="card"><h2>What this report is made of</h2>'
        f'<p class="hint">Segue {escape(provenance.version)}: '
        f"<code>{escape(provenance.command)}</code>. "
        "The same logs give the same page, byte for byte.</p>"
        '<div class="scroll"><table><tr><th>file</th><th class="text">format</th><th>lines</th>'
        f'<th class="text">SHA-256</th></tr>{files}</table></div>'
        f'<ul class="notes" style="margin-top:12px">{configs}'
        f"{dropped or '<li>No line was dropped.'}</ul></footer>"
    )
