"""A report in the terminal: verdict, validity, one table an experiment, notes.

Only a claim that holds is green or red: a better number that may be chance is grey.
"""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from analysis import formatting
from analysis.checks.result import Status
from analysis.effects.results import Effect, ExperimentResult, Report
from analysis.rendering import cells

COLOURS = {"good": "green", "bad": "red", "warn": "yellow", "": ""}
MARKS = {
    Status.PASSED: ("✓", "green"),
    Status.WARNING: ("!", "yellow"),
    Status.FAILED: ("✗", "red"),
    Status.UNKNOWN: ("?", "dim"),
    Status.NOT_MADE: ("–", "dim"),
}


def show(report: Report, console: Console) -> None:
    """Print the whole report."""
    dropped = sum(lines for _, lines, _ in report.provenance.dropped)
    for result in report.experiments:
        _experiment(result, console)
    console.print()
    read = sum(lines for _, _, lines, _ in report.provenance.files)
    files = len(report.provenance.files)
    console.print(
        f"Read {read:,} lines of {files} file{'s' * (files != 1)}, dropped {dropped:,}.",
        style="dim",
    )
    for reason, lines, places in report.provenance.dropped:
        console.print(
            f"  {lines:,} × {reason}, as at {places[0]}", style="dim", markup=False, soft_wrap=True
        )


def _experiment(result: ExperimentResult, console: Console) -> None:
    console.print()
    console.print(Text(f"Experiment {result.experiment}", style="bold"))
    console.print(formatting.span(result.window), style="dim")
    counts = " · ".join(
        f"{arm.name} {arm.listeners:,}"
        + ("" if arm.weight is None else f" (promised {arm.weight:.1%})")
        for arm in result.arms
    )
    console.print(f"Listeners: {counts}", highlight=False, markup=False)
    sessions = " · ".join(f"{arm.name} {arm.sessions:,}" for arm in result.arms)
    console.print(f"Sessions: {sessions}", highlight=False, markup=False)
    for reason, count in result.excluded.items():
        console.print(f"Left out: {count:,} listeners, {reason}", highlight=False, markup=False)
    _validity(result, console)
    if not result.validity.valid and not result.withheld:
        console.print(Text(" INVALID: the effects below prove nothing ", style="bold white on red"))
    for sentence, effect in zip(
        result.verdicts, result.primary or [None] * len(result.verdicts), strict=True
    ):
        colour = _colour(effect, result) if effect else "red" if result.withheld else ""
        style = f"bold {colour}".strip()
        console.print(Text(sentence, style=style), soft_wrap=True)
    if result.primary:
        _effects(result, console)
        _segments(result, console)
    if not result.withheld:
        reached = " · ".join(f"{arm.name} {cells.coverage(arm)}" for arm in result.arms)
        console.print(f"Different tracks recommended, at equally many answers: {reached}.",
                      style="dim", highlight=False, markup=False)  # fmt: skip
    for note in result.notes:
        console.print(note, style="dim", highlight=False, markup=False)


def _validity(result: ExperimentResult, console: Console) -> None:
    checks = result.validity.checks
    counts = cells.check_counts(result.validity)
    valid = result.validity.valid
    console.print(
        Text.assemble(
            "Validity: ",
            ("valid" if valid else "INVALID", "bold green" if valid else "bold red"),
            f" ({counts})" if counts else " (no check was made)",
        )
    )
    for check in checks:
        if check.status in (Status.FAILED, Status.WARNING):
            mark, colour = MARKS[check.status]
            console.print(
                Text.assemble(
                    (f"  {mark} {check.name}", colour), f": {check.figure}. {check.explanation}"
                )
            )


def _effects(result: ExperimentResult, console: Console) -> None:
    several = len({(effect.control, effect.treatment) for effect in result.primary}) > 1
    # A gap of two and not of three between columns: with it, 80 characters hold most reports.
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 1, 0, 0))
    table.add_column("metric", no_wrap=True)
    first = result.primary[0]
    for name in ("arm", "value") if several else (first.control, first.treatment):
        table.add_column(name, justify="left" if name == "arm" else "right", no_wrap=True)
    table.add_column("diff.", justify="right", no_wrap=True)
    table.add_column("lift %", justify="right", no_wrap=True)
    # Only this column may fold: a wide interval takes a second line and does not cut off a cell.
    table.add_column("interval, %", min_width=11)
    table.add_column("p", justify="right", no_wrap=True, min_width=6)
    parts: tuple[tuple[str, Sequence[Effect]], ...] = (
        ("primary", [*result.primary, *result.alternatives]),
        ("others", result.secondary),
        ("guardrails", result.guardrails),
    )
    for name, effects in parts:
        if not effects:
            continue
        table.add_row(Text(name, style="dim italic"), *[""] * 6)
        before = ""
        for effect in effects:
            label = _label(effect, result)
            control = cells.value(effect.metric, effect.control_mean)
            value = cells.value(effect.metric, effect.treatment_mean)
            if several and label != before:
                table.add_row(label, result.control, control)
            colour = _colour(effect, result)
            table.add_row(
                *(("", _pair(effect, result), value) if several else (label, control, value)),
                Text(cells.difference(effect).removesuffix(" ms"), style=colour),
                Text(cells.lift(effect).removesuffix(" %"), style=colour),
                Text(cells.bounds(effect), style=colour),
                formatting.p_value(effect.corrected),
            )
            before = label
        table.add_section()
    console.print()
    console.print(table, markup=False)
    corrected = "; ".join(f"{part}: {how}" for part, how in result.corrections.items()
                          if part != "segments" or result.segments)  # fmt: skip
    said = f"{cells.caption(result)}. Corrected: {corrected}."
    console.print(said, style="dim", highlight=False, markup=False)
    for mood, sentence in cells.guardrails(result):
        console.print(Text(sentence, style=COLOURS[mood] if mood == "bad" else "dim"))


def _segments(result: ExperimentResult, console: Console) -> None:
    for segments in result.segments:
        table = Table(
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            show_edge=False,
            title=Text(
                f"by {segments.attribute}: {segments.treatment} against {segments.control}", "bold"
            ),
            title_justify="left",
        )
        for name in ("segment", "listeners", "lift", "interval, %", "p"):
            table.add_column(
                name, justify="left" if name in ("segment", "interval, %") else "right"
            )
        for segment in segments.segments:
            effect = segment.effect
            colour = _colour(effect, result)
            table.add_row(
                segment.value,
                f"{effect.control_n + effect.treatment_n:,}",
                Text(cells.lift(effect), style=colour),
                Text(cells.bounds(effect), style=colour),
                formatting.p_value(effect.corrected),
            )
        console.print()
        console.print(table, markup=False)
        said = cells.interaction(segments.corrected, result.plan.alpha)
        console.print(said, style="dim", highlight=False, markup=False)


def _label(effect: Effect, result: ExperimentResult) -> str:
    return cells.label(effect, result).replace("… ", "  ")


def _pair(effect: Effect, result: ExperimentResult) -> str:
    if effect.control == result.control:
        return effect.treatment
    return f"{effect.treatment}:{effect.control}"


def _colour(effect: Effect, result: ExperimentResult) -> str:
    return COLOURS[cells.mood(effect, result)]
