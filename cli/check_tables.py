"""Tables of checks in a terminal."""

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


def show_checks(title: str, checks: Sequence[CheckResult], out: Console) -> None:
    """Print a table of checks, and below it the explanations of those that did not pass."""
    table = Table(title=title, title_justify="left", title_style="bold")
    table.add_column("check", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("figure")
    for check in checks:
        colour = COLOURS[check.status]
        table.add_row(check.name, f"[{colour}]{check.status.value}[/{colour}]", check.figure)
    out.print(table)
    explain(checks, out)


def explain(checks: Iterable[CheckResult], out: Console) -> None:
    """Print the findings of the checks that did not pass, with their examples."""
    for check in checks:
        if check.status is Status.PASSED or not check.explanation:
            continue
        colour = COLOURS[check.status]
        out.print(f"[{colour}]{check.name}[/{colour}]  {check.question}", highlight=False)
        out.print(f"    {check.explanation}", highlight=False, markup=False)
        for example in check.examples:
            out.print(
                f"    {example.where}: {example.what}",
                highlight=False, markup=False, soft_wrap=True, style="dim",
            )  # fmt: skip
