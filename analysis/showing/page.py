"""A report as one self-contained page: no script, no network, the same bytes every time."""

from collections.abc import Sequence
from html import escape
from importlib import resources
from string import Template

from analysis.findings import Effect, Findings, Report, Segments
from analysis.gates.values import Verdict
from analysis.showing import charts, numbers
from analysis.showing.terminal import interaction

MARKS = {
    Verdict.PASSED: ("passed", "✓"),
    Verdict.WARNING: ("warning", "!"),
    Verdict.FAILED: ("failed", "✗"),
    Verdict.UNKNOWN: ("unknown", "?"),
}


def page(report: Report) -> str:
    """The whole page as HTML."""
    template = (resources.files("analysis") / "showing" / "page.html").read_text(encoding="utf-8")
    names = ", ".join(findings.experiment for findings in report.experiments)
    return Template(template).substitute(
        title=escape(f"{names}: report"),
        experiments="\n".join(
            _experiment(findings, f"e{place}") for place, findings in enumerate(report.experiments)
        ),
        origin=_origin(report),
    )


def _experiment(findings: Findings, key: str) -> str:
    parts = [
        '<section class="experiment">',
        '<p class="over">Segue report · experiment</p>',
        f"<h1>{escape(findings.experiment)}</h1>",
        f'<p class="under">{numbers.span(findings.window)}</p>',
        _verdict(findings),
        _certificate(findings),
    ]
    if not findings.withheld:
        if not findings.certificate.valid:
            parts.append(
                '<div class="card banner">INVALID: a gate failed. '
                "The effects below prove nothing.</div>"
            )
        parts += [_effects(findings, key), _pictures(findings, key)]
        parts += [_segments(segments, findings) for segments in findings.segments]
    parts += [_allocation(findings), _notes(findings), "</section>"]
    return "\n".join(parts)


def _verdict(findings: Findings) -> str:
    moods = {_mood(effect, findings) for effect in findings.primary}
    mood = "bad" if findings.withheld else moods.pop() if len(moods) == 1 else ""
    tones = [_mood(effect, findings) for effect in findings.primary] or [mood]
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


def _certificate(findings: Findings) -> str:
    certificate = findings.certificate
    said = numbers.gates(certificate)
    shown = sorted(
        certificate.gates,
        key=lambda gate: (
            [Verdict.FAILED, Verdict.WARNING].index(gate.verdict)
            if gate.verdict in (Verdict.FAILED, Verdict.WARNING)
            else 2
        ),
    )
    rows = []
    for gate in shown:
        name, mark = MARKS[gate.verdict]
        loud = gate.verdict in (Verdict.FAILED, Verdict.WARNING)
        says = f" {escape(gate.says)}" if loud else ""
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


def _effects(findings: Findings, key: str) -> str:
    if not findings.primary:
        return ""
    alt = "Lift of every metric with its interval. " + "; ".join(
        f"{effect.metric.label} {effect.treatment} {numbers.lift(effect)} {numbers.bounds(effect)}"
        for effect in findings.primary
    )
    drawn = any(
        effect.lift for effect in (*findings.primary, *findings.secondary, *findings.guardrails)
    )
    plots = "".join(
        f'<div class="{size}">'
        + charts.draw(charts.forest(findings, size == "wide"), f"{key}-forest-{size}", alt)
        + "</div>"
        for size in ("wide", "narrow")
        if drawn
    )
    return (
        '<div class="card"><h2>Effects</h2>'
        '<p class="hint">Green and red only where the claim holds after correction; '
        f"grey may be chance.</p>{plots}</div>"
        f'<div class="card"><div class="scroll">{_table(findings)}</div>'
        f'<p class="hint" style="margin-top:12px">{escape(_how(findings))}</p></div>'
    )


def _how(findings: Findings) -> str:
    kind = (
        "Intervals are fixed ones: the planned size is reached."
        if findings.rule == "fixed"
        else "Intervals are always-valid: they hold however often one looks."
    )
    corrections = "; ".join(
        f"{part}: {how}"
        for part, how in findings.corrections.items()
        if part != "segments" or findings.segments
    )
    return f"{kind} Corrections: {corrections}. p is after correction."


def _table(findings: Findings) -> str:
    parts: tuple[tuple[str, Sequence[Effect]], ...] = (
        ("primary", [*findings.primary, *findings.beside]),
        ("others", findings.secondary),
        ("guardrails", findings.guardrails),
    )
    pairs = {(effect.treatment, effect.control) for effect in findings.primary}
    rows = []
    for name, effects in parts:
        if effects:
            rows.append(f'<tr class="part"><td colspan="7">{name}</td></tr>')
        for effect in effects:
            strong = ' class="primary"' if effect in findings.primary else ""
            tone = _tone(effect, findings)
            arms = f'<td class="text">{escape(effect.treatment)} : {escape(effect.control)}</td>'
            rows.append(
                f'<tr{strong}><td title="{escape(effect.method)}">'
                f"{escape(charts.label_of(effect, findings))}</td>{arms if len(pairs) > 1 else ''}"
                f"<td{tone}>{numbers.lift(effect)}</td><td{tone}>{numbers.bounds(effect)}</td>"
                f"<td>{escape(numbers.p_value(effect.corrected))}</td>"
                f"<td>{numbers.value(effect.metric, effect.control_mean)}</td>"
                f"<td>{numbers.value(effect.metric, effect.treatment_mean)}</td></tr>"
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


def _pictures(findings: Findings, key: str) -> str:
    pictures = findings.pictures
    if pictures is None:
        return ""
    arms = [arm.name for arm in findings.arms]
    found = [course for course in findings.courses if course.control == findings.control]
    stretch = _stretch(pictures.step_ms)
    cards = []
    if any(moment.alone for course in found for moment in course.moments):
        cards.append(
            _card(
                f"Effect of each {stretch}",
                "Sessions by when they began; each stretch alone, fixed 95 % intervals. Many "
                "looks: single ones outside of 0 prove nothing.",
                charts.course(found, arms, pictures.step_ms, so_far=False),
                f"{key}-alone",
                f"Lift of mean session time for each {stretch} alone, by arm.",
            )
        )
    if any(moment.so_far for course in found for moment in course.moments):
        last = "; ".join(
            f"{course.treatment} {numbers.percent(course.moments[-1].so_far)}"
            for course in found
            if course.moments[-1].so_far
        )
        cards.append(
            _card(
                "Effect so far",
                "All sessions up to then, always-valid 95 % band: where it leaves 0 and stays, the "
                "claim holds.",
                charts.course(found, arms, pictures.step_ms, so_far=True),
                f"{key}-so-far",
                f"Lift of mean session time over all sessions so far. At the end: {last}.",
            )
        )
    if findings.arms and any(any(shares) for shares in pictures.sessions.values()):
        cards.append(
            _card(
                "How long sessions were",
                "Time heard in a session, in tracks: 2.5 is two and a half tracks.",
                charts.session_times(pictures, arms),
                f"{key}-sessions",
                "Distribution of session time by arm.",
            )
        )
    if len(arms) > 1:
        shares = "; ".join(f"{arm.name} {arm.share:.1%}" for arm in findings.arms)
        cards.append(
            _card(
                "Sample ratio over time",
                "Share of the listeners by arm; dashed what was promised, shaded what chance "
                "allows in 999 of 1,000 cases.",
                charts.sample_ratio(findings, pictures),
                f"{key}-ratio",
                f"Cumulative share of listeners by arm. At the end: {shares}.",
            )
        )
    if all(arm.fallbacks is not None for arm in findings.arms):
        shares = "; ".join(f"{arm.name} {arm.fallbacks or 0:.2%}" for arm in findings.arms)
        cards.append(
            _card(
                "Answers by a fallback",
                "How often the arm's own strategy had no answer.",
                charts.fallbacks(findings),
                f"{key}-fallbacks",
                f"Share of answers that a fallback gave, by arm: {shares}.",
            )
        )
    if any(arm.latency_ms for arm in findings.arms):
        slowest = "; ".join(
            f"{arm.name} {arm.latency_ms['p99']:.2f} ms" for arm in findings.arms if arm.latency_ms
        )
        cards.append(
            _card(
                "Latency of answers",
                "As the server measured it, from the request's arrival to the event in the log.",
                charts.latencies(findings),
                f"{key}-latency",
                f"Median, 90th and 99th percentile of latency by arm. 99th: {slowest}.",
            )
        )
    return f'<div class="charts">{"".join(cards)}</div>'


def _card(title: str, hint: str, spec: charts.Spec, name: str, alt: str) -> str:
    drawing = charts.draw(spec, name, alt)
    return (
        f'<div class="card"><h2>{escape(title)}</h2><p class="hint">{escape(hint)}</p>'
        f"{drawing}</div>"
    )


def _stretch(step_ms: int) -> str:
    for size, word in (
        (7 * 86_400_000, "week"),
        (86_400_000, "day"),
        (3_600_000, "hour"),
        (600_000, "ten minutes"),
        (60_000, "minute"),
        (10_000, "ten seconds"),
    ):
        if step_ms >= size:
            return word  # fmt: skip
    return "second"


def _segments(segments: Segments, findings: Findings) -> str:
    rows = "".join(
        f"<tr><td>{escape(segment.value)}</td>"
        f"<td>{segment.effect.control_n + segment.effect.treatment_n:,}</td>"
        f"<td{_tone(segment.effect, findings)}>{numbers.lift(segment.effect)}</td>"
        f"<td{_tone(segment.effect, findings)}>{numbers.bounds(segment.effect)}</td>"
        f"<td>{escape(numbers.p_value(segment.effect.corrected))}</td></tr>"
        for segment in segments.segments
    )
    return (
        f'<div class="card"><h2>By {escape(segments.attribute)}: {escape(segments.treatment)} '
        f"against {escape(segments.control)}</h2>"
        f'<p class="hint">{escape(interaction(segments.corrected))} '
        f"{escape(findings.corrections.get('segments', ''))}.</p>"
        '<div class="scroll"><table><tr><th>segment</th><th>listeners</th><th>lift</th>'
        f"<th>interval, %</th><th>p</th></tr>{rows}</table></div></div>"
    )


def _allocation(findings: Findings) -> str:
    arms = [arm.name for arm in findings.arms]
    rows = "".join(
        f'<tr><td><span class="dot" style="background:{charts.arm_colour(arm.name, arms)}"></span>'
        f"{escape(arm.name)}</td>"
        f'<td class="text">{escape(arm.strategy or "–")}</td>'
        f"<td>{'–' if arm.weight is None else f'{arm.weight:.1%}'}</td>"
        f"<td>{arm.share:.1%}</td><td>{arm.listeners:,}</td><td>{arm.sessions:,}</td>"
        f"<td>{arm.open_sessions:,}</td><td>{arm.answers:,}</td><td>{arm.coverage:,.0f}</td></tr>"
        for arm in findings.arms
    )
    return (
        '<div class="card"><h2>Allocation</h2><p class="hint">Reach: different tracks recommended, '
        "counted at as many answers as the smallest arm gave.</p>"
        '<div class="scroll"><table><tr><th>arm</th><th class="text">strategy</th><th>promised</th>'
        "<th>share</th><th>listeners</th><th>sessions</th><th>still open</th><th>answers</th>"
        f"<th>reach</th></tr>{rows}</table></div></div>"
    )


def _notes(findings: Findings) -> str:
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


def _mood(effect: Effect, findings: Findings) -> str:
    """Good or bad where the claim holds; nothing else has a colour."""
    if effect.claim is None or not findings.certificate.valid:
        return ""
    return {True: "good", False: "bad", None: "warn"}[effect.good]


def _tone(effect: Effect, findings: Findings) -> str:
    mood = _mood(effect, findings)
    return f' class="{mood}-text"' if mood else ""
