"""`segue doctor`: examine the server that a config describes, before an experiment starts."""

import json
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cli.progress import bars
from cli.terminal import terminal
from events.url_path import log_path

if TYPE_CHECKING:
    from audit.doctor import DoctorStep


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("doctor")(doctor)


def doctor(
    config: Annotated[Path, typer.Option("--config", help="The config file.")] = Path(
        "config.yaml"
    ),
    listeners: Annotated[
        int, typer.Option(min=100, help="Listeners that ask the canary over HTTP.")
    ] = 3000,
    salts: Annotated[int, typer.Option(min=50, help="Splits of the A/A test.")] = 1000,
    log: Annotated[
        list[Path] | None,
        typer.Option(
            parser=log_path,
            metavar="PATH",
            help="A recorded log for the A/A test, or its URL; repeatable.",
            show_default="synthetic traffic",
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Examine the server that a config describes; no log is needed.

    The doctor serves canaries over HTTP, samples every arm, counts shares, splits listeners by many
    salts, and injects known faults to see which check finds them. The exit code is 1 if anything is
    wrong.
    """
    from audit.doctor import DoctorOptions, examine
    from engine.runtime import load_runtime
    from engine.settings.loading import load_settings

    runtime = load_runtime(load_settings(config))
    options = DoctorOptions(listeners, salts, tuple(log or ()))
    steps: list[DoctorStep] = []
    out = terminal()
    with tempfile.TemporaryDirectory(prefix="segue-doctor-") as folder, bars() as progress:
        for step in examine(runtime, options, Path(folder), progress):
            steps.append(step)
            if not as_json:
                _print(step, out)
    faulty = [step.name for step in steps if step.faults]
    if as_json:
        values = {"sound": not faulty, "parts": [_values(step) for step in steps]}
        print(json.dumps(values, indent=2))  # noqa: T201
    elif faulty:
        out.print(Text.assemble(("Not sound", "red"), f": {', '.join(faulty)}."))
    else:
        seconds = sum(step.seconds for step in steps)
        out.print(Text.assemble(("Sound", "green"), f", in {seconds:.0f} s."))
    if faulty:
        raise typer.Exit(1)


def _print(step: "DoctorStep", out: Console) -> None:
    colour, word = ("red", "not sound") if step.faults else ("green", "sound")
    out.print(
        Text.assemble(
            (step.name, "bold"),
            " ",
            (word, colour),
            f" {step.question} {step.figure} ",
            (f"{step.seconds:.1f} s", "dim"),
        )
    )
    for fault in step.faults:
        out.print(f"  {fault}", style="red", soft_wrap=True)
    if step.rows:
        table = Table(*step.columns, box=None, padding=(0, 2))
        for row in step.rows:
            table.add_row(*row)
        out.print(table)
    out.print()


def _values(step: "DoctorStep") -> dict[str, Any]:
    return {
        "name": step.name,
        "asks": step.question,
        "sound": not step.faults,
        "figure": step.figure,
        "faults": list(step.faults),
        "table": [dict(zip(step.columns, row, strict=True)) for row in step.rows],
        "seconds": round(step.seconds, 2),
    }
