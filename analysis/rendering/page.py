"""A report as one self-contained page: no script, no network, the same bytes every time."""

from html import escape
from importlib import resources
from string import Template

from analysis import formatting
from analysis.checks.result import Status
from analysis.effects.results import ExperimentResult, Report
from analysis.rendering import cells
from analysis.rendering.cards import chart_cards
from analysis.rendering.drawing import arm_colour
from analysis.rendering.effects import effects_card, mood_of, segments_card

EXAMPLES = 3
"""Most examples of a check on the page; `segue verify` shows more."""
MARKS = {
    Status.PASSED: ("passed", "✓"),
    Status.WARNING: ("warning", "!"),
    Status.FAILED: ("failed", "✗"),
    Status.UNKNOWN: ("unknown", "?"),
    Status.NOT_MADE: ("not-made", "–"),
}
ORDER = {Status.FAILED: 0, Status.WARNING: 1, Status.NOT_MADE: 3}
"""Where a check stands on the page: bad news first, checks that were not made last."""


def page(report: Report) -> str:
    """The whole page as HTML."""
    template = (resources.files("analysis") / "rendering" / "page.html").read_text(encoding="utf-8")
    names = ", ".join(result.experiment for result in report.experiments)
    return Template(template).substitute(
        title=escape(f"{names}: report"),
        experiments="\n".join(
            _experiment(result, f"e{place}") for place, result in enumerate(report.experiments)
        ),
        provenance=_origin(report),
    )


def _experiment(result: ExperimentResult, key: str) -> str:
    parts = [
        '<section class="experiment">',
        '<p class="over">Segue report · experiment</p>',
        f"<h1>{escape(result.experiment)}</h1>",
        f'<p class="under">{formatting.span(result.window)}</p>',
        _verdict(result),
        _validity(result),
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
    moods = {mood_of(effect, result) for effect in result.primary}
    mood = "bad" if result.withheld else moods.pop() if len(moods) == 1 else ""
    tones = [mood_of(effect, result) for effect in result.primary] or [mood]
    sentences = "".join(
        f'<p class="{tone}">{escape(sentence)}</p>'
        for sentence, tone in zip(result.verdicts, tones, strict=True)
    )
    plan = result.plan
    facts = [f"{plan.seen:,} listeners"]
    if plan.listeners is not None:
        facts.append(f"{plan.listeners:,} planned")
    if not result.withheld:
        facts.append(f"{result.inference} 95 % intervals")
    facts.append(f"control {result.control}")
    facts += [f"{count:,} left out: {reason}" for reason, count in result.excluded.items()]
    listed = "".join(f"<li>{escape(fact)}</li>" for fact in facts)
    return f'<div class="card verdict {mood}">{sentences}<ul>{listed}</ul></div>'


def _validity(result: ExperimentResult) -> str:
    validity = result.validity
    counts = cells.check_counts(validity)
    shown = sorted(validity.checks, key=lambda check: ORDER.get(check.status, 2))
    rows = []
    for check in shown:
        name, mark = MARKS[check.status]
        loud = check.status in (Status.FAILED, Status.WARNING)
        explanation = f" {escape(check.explanation)}" if loud else ""
        for example in check.examples[:EXAMPLES] if loud else ():
            explanation += f"<br><code>{escape(example.where)}</code> {escape(example.what)}"
        rows.append(
            f'<li class="{name}" title="{escape(check.question)}"><span class="mark">{mark}</span>'
            f'<span><b>{escape(check.name)}</b> <span class="figure">{escape(check.figure)}</span>'
            f"{explanation}</span></li>"
        )
    state = "Valid" if validity.valid else "Invalid"
    return (
        f'<div class="card"><h2>{state}: {escape(counts) or "no check was made"}</h2>'
        '<p class="hint">Checked before any effect was computed. A failed check means that no '
        "difference between the arms can be believed.</p>"
        f'<ul class="checks">{"".join(rows)}</ul></div>'
    )


def _allocation(result: ExperimentResult) -> str:
    arms = [arm.name for arm in result.arms]
    rows = "".join(
        f'<tr><td><span class="dot" style="background:{arm_colour(arm.name, arms)}"></span>'
        f"{escape(arm.name)}</td>"
        f'<td class="text">{escape(arm.strategy or "–")}</td>'
        f"<td>{'–' if arm.weight is None else f'{arm.weight:.1%}'}</td>"
        f"<td>{arm.share:.1%}</td><td>{arm.listeners:,}</td><td>{arm.sessions:,}</td>"
        f"<td>{arm.open_sessions:,}</td><td>{arm.answers:,}</td><td>{cells.coverage(arm)}</td></tr>"
        for arm in result.arms
    )
    return (
        '<div class="card"><h2>Allocation</h2><p class="hint">Reach: different tracks recommended, '
        "at as many answers as the smallest arm gave, and their share of the catalog.</p>"
        '<div class="scroll"><table><tr><th>arm</th><th class="text">strategy</th><th>promised</th>'
        "<th>share</th><th>listeners</th><th>sessions</th><th>still open</th><th>answers</th>"
        f"<th>reach</th></tr>{rows}</table></div></div>"
    )


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
