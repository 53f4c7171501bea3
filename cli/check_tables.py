"""Tables of checks in a terminal."""

from collections.abc import Iterable, Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

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
        table.add_row(Text(check.name), Text(check.status.value, style=colour), Text(check.figure))
    out.print(table)
    explain(checks, out)


def explain(checks: Iterable[CheckResult], out: Console) -> None:
    """Print the findings of the checks that did not pass, with their examples."""
    for check in checks:
        if check.status is Status.PASSED or not check.explanation:
            continue
        colour = COLOURS[check.status]
        out.print(Text.assemble((check.name, colour), f"  {check.question}"))
        out.print(f"    {check.explanation}")
        for example in check.examples:
            out.print(
                f"    {example.where}: {example.what}",
                soft_wrap=True, style="dim",
            )  # fmt: skip
