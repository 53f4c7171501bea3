"""A report as one self-contained page: no script, no network, the same bytes every time."""

from html import escape
from importlib import resources
from string import Template

from analysis import formatting
from analysis.checks.result import Status
from analysis.effects.results import ExperimentResult, Report
from analysis.rendering.cards import chart_cards
from analysis.rendering.drawing import arm_colour
from analysis.rendering.effects import effects_card, mood_of, segments_card

EXAMPLES = 3
"""How many examples of a gate the page shows; `segue verify` has more."""
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
    names = ", ".join(findings.experiment for findings in report.experiments)
    return Template(template).substitute(
        title=escape(f"{names}: report"),
        experiments="\n".join(
            _experiment(findings, f"e{place}") for place, findings in enumerate(report.experiments)
        ),
        origin=_origin(report),
    )


def _experiment(findings: ExperimentResult, key: str) -> str:
    parts = [
        '<section class="experiment">',
        '<p class="over">Segue report · experiment</p>',
        f"<h1>{escape(findings.experiment)}</h1>",
        f'<p class="under">{formatting.span(findings.window)}</p>',
        _verdict(findings),
        _certificate(findings),
    ]
    if not findings.withheld:
        if not findings.certificate.valid:
            parts.append(
                '<div class="card banner">INVALID: a gate failed. '
                "The effects below prove nothing.</div>"
            )
        parts += [effects_card(findings, key), chart_cards(findings, key)]
        parts += [segments_card(segments, findings) for segments in findings.segments]
    parts += [_allocation(findings), _notes(findings), "</section>"]
    return "\n".join(parts)


def _verdict(findings: ExperimentResult) -> str:
    moods = {mood_of(effect, findings) for effect in findings.primary}
    mood = "bad" if findings.withheld else moods.pop() if len(moods) == 1 else ""
    tones = [mood_of(effect, findings) for effect in findings.primary] or [mood]
    sentences = "".join(
        f'<p class="{tone}">{escape(sentence)}</p>'
        for sentence, tone in zip(findings.verdicts, tones, strict=True)
    )
    plan = findings.plan
    facts = [f"{plan.seen:,} listeners"]
    if plan.listeners is not None:
        facts.append(f"{plan.listeners:,} planned")
    if not findings.withheld:
        facts.append(f"{findings.rule} 95 % intervals")
    facts.append(f"control {findings.control}")
    facts += [f"{count:,} left out: {reason}" for reason, count in findings.excluded.items()]
    listed = "".join(f"<li>{escape(fact)}</li>" for fact in facts)
    return f'<div class="card verdict {mood}">{sentences}<ul>{listed}</ul></div>'


def _certificate(findings: ExperimentResult) -> str:
    certificate = findings.certificate
    said = formatting.gates(certificate)
    shown = sorted(certificate.gates, key=lambda gate: ORDER.get(gate.verdict, 2))
    rows = []
    for gate in shown:
        name, mark = MARKS[gate.verdict]
        loud = gate.verdict in (Status.FAILED, Status.WARNING)
        says = f" {escape(gate.says)}" if loud else ""
        for example in gate.examples[:EXAMPLES] if loud else ():
            says += f"<br><code>{escape(example.where)}</code> {escape(example.what)}"
        rows.append(
            f'<li class="{name}" title="{escape(gate.asks)}"><span class="mark">{mark}</span>'
            f'<span><b>{escape(gate.name)}</b> <span class="figure">{escape(gate.figure)}</span>'
            f"{says}</span></li>"
        )
    state = "Valid" if certificate.valid else "Invalid"
    return (
        f'<div class="card"><h2>{state}: {escape(said) or "no gate was asked"}</h2>'
        '<p class="hint">Checked before any effect was computed. A failed gate means that no '
        "difference between the arms can be believed.</p>"
        f'<ul class="gates">{"".join(rows)}</ul></div>'
    )


def _allocation(findings: ExperimentResult) -> str:
    arms = [arm.name for arm in findings.arms]
    rows = "".join(
        f'<tr><td><span class="dot" style="background:{arm_colour(arm.name, arms)}"></span>'
        f"{escape(arm.name)}</td>"
        f'<td class="text">{escape(arm.strategy or "–")}</td>'
        f"<td>{'–' if arm.weight is None else f'{arm.weight:.1%}'}</td>"
        f"<td>{arm.share:.1%}</td><td>{arm.listeners:,}</td><td>{arm.sessions:,}</td>"
        f"<td>{arm.open_sessions:,}</td><td>{arm.answers:,}</td><td>{formatting.reach(arm)}</td></tr>"
        for arm in findings.arms
    )
    return (
        '<div class="card"><h2>Allocation</h2><p class="hint">Reach: different tracks recommended, '
        "at as many answers as the smallest arm gave, and their share of the catalog.</p>"
        '<div class="scroll"><table><tr><th>arm</th><th class="text">strategy</th><th>promised</th>'
        "<th>share</th><th>listeners</th><th>sessions</th><th>still open</th><th>answers</th>"
        f"<th>reach</th></tr>{rows}</table></div></div>"
    )


def _notes(findings: ExperimentResult) -> str:
    if not findings.notes:
        return ""
    listed = "".join(f"<li>{escape(note)}</li>" for note in findings.notes)
    return f'<div class="card"><h2>Notes</h2><ul class="notes">{listed}</ul></div>'


def _origin(report: Report) -> str:
    origin = report.origin
    files = "".join(
        f'<tr><td><code>{escape(path)}</code></td><td class="text">{escape(form)}</td>'
        f'<td>{lines:,}</td><td class="text"><code>{escape(checksum)}</code></td></tr>'
        for path, form, lines, checksum in origin.files
    )
    configs = "".join(
        f"<li><code>{escape(digest)}</code> decided {count:,} events</li>"
        for digest, count in origin.configs.items()
    )
    dropped = "".join(
        f"<li>{lines:,} lines dropped: {escape(reason)}, as at <code>{escape(places[0])}</code>"
        for reason, lines, places in origin.dropped
    )
    return (
        '<footer class="card"><h2>What this was made of</h2>'
        f'<p class="hint">Segue {escape(origin.version)}: <code>{escape(origin.command)}</code>. '
        "The same logs give the same page, byte for byte.</p>"
        '<div class="scroll"><table><tr><th>file</th><th class="text">format</th><th>lines</th>'
        f'<th class="text">SHA-256</th></tr>{files}</table></div>'
        f'<ul class="notes" style="margin-top:12px">{configs}'
        f"{dropped or '<li>No line was dropped.'}</ul></footer>"
    )
