"""How gates are shown in a terminal; what `verify`, `doctor` and `report` have in common."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table

from analysis.checks.result import CheckResult, Status

COLOURS = {
    Status.PASSED: "green",
    Status.WARNING: "yellow",
    Status.FAILED: "red",
    Status.UNKNOWN: "dim",
    Status.NOT_MADE: "dim",
}


def show_checks(title: str, gates: Sequence[CheckResult], out: Console) -> None:
    """A table of gates, and below it what those that did not pass have to say."""
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("gate", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    table.add_column("figure")
    for gate in gates:
        colour = COLOURS[gate.verdict]
        table.add_row(gate.name, f"[{colour}]{gate.verdict.value}[/{colour}]", gate.figure)
    out.print(table)
    explain(gates, out)


def explain(gates: Iterable[CheckResult], out: Console) -> None:
    """What gates that did not pass found, with their examples."""
    for gate in gates:
        if gate.verdict is Status.PASSED or not gate.says:
            continue
        colour = COLOURS[gate.verdict]
        out.print(f"[{colour}]{gate.name}[/{colour}]  {gate.asks}", highlight=False)
        out.print(f"    {gate.says}", highlight=False, markup=False)
        for example in gate.examples:
            out.print(
                f"    {example.where}: {example.what}",
                highlight=False, markup=False, soft_wrap=True, style="dim",
            )  # fmt: skip
