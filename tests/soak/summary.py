"""One screen that says how a soak went."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from tests.soak.hostile_clients import Hostility
from tests.soak.soak import SoakOutcome

SHOWN = 10


def show_soak(outcome: SoakOutcome, out: Console) -> None:
    """Show the faults, then every figure beside what was promised."""
    faults = ", ".join(f"{name} {times:,}" for name, times in outcome.struck.most_common())
    out.print(Text.assemble(("Faults: ", "bold"), faults))
    figures = Table(title="Proof", title_justify="left", title_style="bold")
    figures.add_column("figure")
    figures.add_column("value", justify="right")
    for name, value in figures_of(outcome):
        figures.add_row(name, value)
    out.print(figures)
    show_problems(outcome.problems, out)


def figures_of(outcome: SoakOutcome) -> list[tuple[str, str]]:
    """List every figure of a soak by its name."""
    ledger, read, hostility = outcome.ledger, outcome.read, outcome.hostility
    decisions = sum(len(each) for each in ledger.decided.values()) + len(hostility.decisions)
    losses = len(ledger.losses(read))
    lasted = f"{outcome.seconds / 60:.1f} min, {outcome.starts} processes"
    return [
        ("time under load", lasted),
        ("faults", f"{outcome.struck.total():,}"),
        ("events on file", f"{read.lines:,}"),
        ("requests acknowledged, in the clients' ledger", f"{len(ledger.acknowledged):,}"),
        ("decisions of them, each on file once", f"{decisions:,}"),
        ("acknowledged and lost, or on file twice", f"{losses:,}"),
        ("refused with 503, none on file", f"{ledger.refusals:,}"),
        ("without an answer (killed, stopped)", f"{ledger.unanswered:,}"),
        ("retries that got the first answer again", f"{ledger.repeated:,}"),
        ("lines cut off by a kill, never acknowledged", f"{read.torn:,}"),
        ("hostile requests", f"{hostility.requests:,}"),
        ("segue verify", "NOT VALID" if outcome.failed_checks else "valid"),
        ("segue replay: decisions made again", f"{outcome.replayed.get('decisions', 0):,}"),
        ("segue replay: differing", f"{outcome.replayed.get('mismatched', 0):,}"),
        ("memory after warm-up, and at the end", memory_of(outcome)),
    ]


def memory_of(outcome: SoakOutcome) -> str:
    """Say how the last process's memory went."""
    if not outcome.memory_mb:
        return "not measured"
    end = outcome.memory_mb[-1]
    return f"{end - outcome.memory_growth_mb():.0f} MB, {end:.0f} MB"


def show_hostility(outcome: Hostility, seconds: float, out: Console) -> None:
    """Show what was sent and answered."""
    table = Table(title="Hostile requests", title_justify="left", title_style="bold")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_row("requests", f"{outcome.requests:,} in {seconds:.0f} s")
    for status, times in sorted(outcome.statuses.items()):
        table.add_row(f"answered with {status}", f"{times:,}")
    table.add_row("answers that broke a promise", f"{len(outcome.problems):,}")
    out.print(table)
    show_problems(outcome.problems, out)


def show_problems(problems: list[str], out: Console) -> None:
    """Show the first problems, or say that there is none."""
    for each in problems[:SHOWN]:
        out.print(f"- {each}", style="red", markup=False, soft_wrap=True)
    if len(problems) > SHOWN:
        out.print(f"... and {len(problems) - SHOWN:,} more", style="red")
    if not problems:
        out.print("Every promise held.", style="green")
