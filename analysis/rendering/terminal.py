"""A report in the terminal: verdict, validity, one table an experiment, notes.

Green and red stand only where a claim holds: a better-looking number that may be chance is grey.
"""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analysis import formatting
from analysis.checks.result import Status
from analysis.effects.results import Effect, ExperimentResult, Report

COLOURS = {True: "green", False: "red", None: "yellow"}
MARKS = {
    Status.PASSED: ("✓", "green"),
    Status.WARNING: ("!", "yellow"),
    Status.FAILED: ("✗", "red"),
    Status.UNKNOWN: ("?", "dim"),
    Status.NOT_MADE: ("–", "dim"),
}


def show(report: Report, console: Console) -> None:
    """Print the whole report."""
    dropped = sum(lines for _, lines, _ in report.origin.dropped)
    for findings in report.experiments:
        _experiment(findings, console)
    console.print()
    read = sum(lines for _, _, lines, _ in report.origin.files)
    files = len(report.origin.files)
    console.print(
        f"Read {read:,} lines of {files} file{'s' * (files != 1)}, dropped {dropped:,}.",
        style="dim",
    )
    for reason, lines, places in report.origin.dropped:
        console.print(f"  {lines:,} × {reason}, as at {places[0]}", style="dim", soft_wrap=True)


def _experiment(findings: ExperimentResult, console: Console) -> None:
    console.print()
    console.print(Text(f"Experiment {findings.experiment}", style="bold"))
    console.print(formatting.span(findings.window), style="dim")
    counts = " · ".join(
        f"{arm.name} {arm.listeners:,}"
        + ("" if arm.weight is None else f" (promised {arm.weight:.1%})")
        for arm in findings.arms
    )
    console.print(f"Listeners: {counts}", highlight=False)
    for reason, count in findings.excluded.items():
        console.print(f"Left out: {count:,} listeners, {reason}", highlight=False)
    _validity(findings, console)
    if not findings.certificate.valid and not findings.withheld:
        console.print(Text(" INVALID: the effects below prove nothing ", style="bold white on red"))
    for sentence, effect in zip(
        findings.verdicts, findings.primary or [None] * len(findings.verdicts), strict=True
    ):
        colour = _colour(effect, findings) if effect else "red" if findings.withheld else ""
        style = f"bold {colour}".strip()
        console.print(Text(sentence, style=style), soft_wrap=True)
    if findings.primary:
        _effects(findings, console)
        _segments(findings, console)
    if not findings.withheld:
        reached = " · ".join(f"{arm.name} {formatting.reach(arm)}" for arm in findings.arms)
        console.print(f"Different tracks recommended, at equally many answers: {reached}.",
                      style="dim", highlight=False)  # fmt: skip
    for note in findings.notes:
        console.print(note, style="dim", highlight=False)


def _validity(findings: ExperimentResult, console: Console) -> None:
    gates = findings.certificate.gates
    said = formatting.gates(findings.certificate)
    valid = findings.certificate.valid
    console.print(
        Text.assemble(
            "Validity: ",
            ("valid" if valid else "INVALID", "bold green" if valid else "bold red"),
            f" ({said})" if said else " (no gate was asked)",
        )
    )
    for gate in gates:
        if gate.verdict in (Status.FAILED, Status.WARNING):
            mark, colour = MARKS[gate.verdict]
            console.print(
                Text.assemble((f"  {mark} {gate.name}", colour), f": {gate.figure}. {gate.says}")
            )


def _effects(findings: ExperimentResult, console: Console) -> None:
    several = len({(effect.control, effect.treatment) for effect in findings.primary}) > 1
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("metric", no_wrap=True)
    first = findings.primary[0]
    for name in ("arm", "value") if several else (first.control, first.treatment):
        table.add_column(name, justify="left" if name == "arm" else "right", no_wrap=True)
    table.add_column("lift", justify="right", no_wrap=True)
    # The one column that may fold: a wide interval takes a second line, and cuts no other cell off.
    table.add_column("interval, %", min_width=11)
    table.add_column("p", justify="right", no_wrap=True, min_width=6)
    parts: tuple[tuple[str, Sequence[Effect]], ...] = (
        ("primary", [*findings.primary, *findings.beside]),
        ("others", findings.secondary),
        ("guardrails", findings.guardrails),
    )
    for name, effects in parts:
        if not effects:
            continue
        table.add_row(Text(name, style="dim italic"), *[""] * 5)
        before = ""
        for effect in effects:
            label = _label(effect, findings)
            control = formatting.value(effect.metric, effect.control_mean)
            value = formatting.value(effect.metric, effect.treatment_mean)
            if several and label != before:
                table.add_row(label, findings.control, control)
            colour = _colour(effect, findings)
            table.add_row(
                *(("", _pair(effect, findings), value) if several else (label, control, value)),
                Text(formatting.lift(effect), style=colour),
                Text(formatting.bounds(effect), style=colour),
                formatting.p_value(effect.corrected),
            )
            before = label
        table.add_section()
    console.print()
    console.print(table)
    kind = (
        "Fixed 95 % intervals, for one look at the planned size"
        if findings.rule == "fixed"
        else "Always-valid 95 % intervals, however often one looks"
    )
    corrected = "; ".join(f"{part}: {how}" for part, how in findings.corrections.items()
                          if part != "segments" or findings.segments)  # fmt: skip
    console.print(f"{kind}. Corrected: {corrected}.", style="dim", highlight=False)


def _segments(findings: ExperimentResult, console: Console) -> None:
    for segments in findings.segments:
        table = Table(
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            show_edge=False,
            title=f"by {segments.attribute}: {segments.treatment} against {segments.control}",
            title_justify="left",
            title_style="bold",
        )
        for name in ("segment", "listeners", "lift", "interval, %", "p"):
            table.add_column(
                name, justify="left" if name in ("segment", "interval, %") else "right"
            )
        for segment in segments.segments:
            effect = segment.effect
            colour = _colour(effect, findings)
            table.add_row(
                segment.value,
                f"{effect.control_n + effect.treatment_n:,}",
                Text(formatting.lift(effect), style=colour),
                Text(formatting.bounds(effect), style=colour),
                formatting.p_value(effect.corrected),
            )
        console.print()
        console.print(table)
        console.print(f"{interaction(segments.corrected)}", style="dim", highlight=False)


def interaction(p: float | None) -> str:
    """What the interaction test says, in words."""
    if p is None:
        return "One segment only: nothing to compare."
    if p <= 0.05:
        return f"The segments differ in their effect (interaction, corrected p {p:.3f})."
    return (
        f"The segments do not differ by more than chance (interaction, corrected p {p:.3f}): "
        "do not read a story into one of them."
    )


def _label(effect: Effect, findings: ExperimentResult) -> str:
    if effect in findings.beside:
        how = "bootstrap-t" if effect.method == "bootstrap-t" else "unadjusted"
        return f"  {how}"
    if "CUPED" in effect.method:
        return f"{effect.metric.label}, CUPED"
    return effect.metric.label


def _pair(effect: Effect, findings: ExperimentResult) -> str:
    if effect.control == findings.control:
        return effect.treatment
    return f"{effect.treatment} : {effect.control}"


def _colour(effect: Effect, findings: ExperimentResult) -> str:
    if effect.claim is None or not findings.certificate.valid:
        return ""
    return COLOURS[effect.good]
