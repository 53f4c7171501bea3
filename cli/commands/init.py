"""`segue init`: a folder with everything to serve, from a file of listens or the embedded world."""

import json
import shlex
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.console import Console

from cli.embedded_world import copy_embedded_world
from cli.new_folder import new_folder
from cli.progress import bars
from cli.terminal import terminal
from core.catalog import TrackId
from core.errors import InputError
from engine.settings.json_schema import FILE_NAME, MODELINE, config_schema
from strategies import registry

if TYPE_CHECKING:
    from cli.first_server import FirstServer


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("init")(init)


def init(
    folder: Annotated[Path, typer.Argument(help="The folder to make; it must be new or empty.")],
    source: Annotated[
        Path | None,
        typer.Option(
            "--from",
            help="Your listens: a file, or a folder of files of one kind.",
            show_default="the embedded world",
        ),
    ] = None,
    kind: Annotated[
        str | None,
        typer.Option(
            help="Format of the file, as for `segue data import`.", show_default="by its first line"
        ),
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(help="The column of a meaning, as for `segue data import`; repeatable."),
    ] = None,
    percent: Annotated[
        bool, typer.Option("--percent", help="The time of a table is in percent.")
    ] = False,
    gap: Annotated[
        float, typer.Option(min=0, help="Minutes of silence that end a session.")
    ] = 30.0,
    min_plays: Annotated[
        int, typer.Option(min=1, help="Leave out tracks that were played less often.")
    ] = 1,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the models.")] = 1,
) -> None:
    """Make a folder that `segue serve` can serve: from your listens, or with the embedded world.

    From a file, it makes a catalog, learns lists by several models, compares them on your latest
    sessions, and writes a config.yaml with an experiment over the two best. Without a file, it
    copies the embedded world and its config. If it fails, it leaves nothing behind.
    """
    out = terminal(soft_wrap=True)
    began = monotonic()
    if source is None:
        if kind is not None or column:
            raise InputError.one("--from", "must name your file, since --kind or --column is given")
        with new_folder(folder) as work:
            _copy_world(work)
        listener: TrackId = 7
    else:
        from cli.first_server import FirstServerOptions, make_first_server
        from cli.import_choice import choose_import

        choice = choose_import(source, kind, _parse_columns(column))
        options = FirstServerOptions(source, choice, percent, gap * 60, min_plays, seed)
        with new_folder(folder) as work:
            with bars() as progress:
                made = make_first_server(work, options, progress)
            _write_schema(work)
        _show(made, folder, out)
        listener = made.listens.users[0]
    out.print(f"\nMade {folder} in {monotonic() - began:.0f} s. Next:", style="bold")
    for command, what in _next_commands(folder, listener):
        out.print(f"  {command}    # {what}")


def _copy_world(work: Path) -> None:
    """Copy the embedded world; its config names its schema, as every config that init writes."""
    copy_embedded_world(work)
    config = work / "config.yaml"
    config.write_text(MODELINE + config.read_text(encoding="utf-8"), encoding="utf-8")
    _write_schema(work)


def _write_schema(work: Path) -> None:
    registry.load()
    schema = config_schema(registry.known())
    (work / FILE_NAME).write_text(json.dumps(schema, indent=2) + "\n", encoding="utf-8")


def _parse_columns(pairs: list[str] | None) -> dict[str, str]:
    columns = {}
    for pair in pairs or ():
        meaning, equals, name = pair.partition("=")
        if not equals or not name:
            raise InputError.one("--column", f"must be MEANING=COLUMN, got {pair!r}")
        columns[meaning] = name
    return columns


def _show(made: "FirstServer", folder: Path, out: Console) -> None:
    """Say what was read, what was learnt, and what the experiment compares."""
    for line in made.reading():
        out.print(line)
    learnt = made.learnt
    if learnt.comparison is not None:
        from training.comparison_table import table_of

        out.print()
        wide = terminal(width=None if out.is_terminal else 200)
        wide.print(table_of(learnt.comparison.split, learnt.comparison.trials, wide.width))
    else:
        out.print(f"The lists were not compared: your file {learnt.why_not}")
    for model, reason in learnt.left_out.items():
        out.print(f"Not tried: {model}, since it {reason}")
    if (experiment := made.experiment) is not None:
        out.print(
            f"\nThe experiment {experiment.name} compares C: {experiment.control} with "
            f"T1: {experiment.treatment}"
        )
    out.print(
        "Nobody can simulate your listeners yet: for `segue simulate`, take the embedded world "
        "(segue init world), or see `segue world calibrate --help`"
    )


def _next_commands(folder: Path, listener: TrackId) -> list[tuple[str, str]]:
    config = shlex.quote(str(folder / "config.yaml"))
    body = shlex.quote(orjson.dumps({"user": listener}).decode())
    json_type = "-H 'Content-Type: application/json'"
    report = f"segue report {shlex.quote(str(folder / 'log'))} --config {config}"
    return [
        (f"segue serve --config {config}", "Ctrl-C stops it"),
        (f"curl localhost:8000/recommend {json_type} -d {body}", "a track for a listener"),
        (report, "once there are sessions: which arm is better?"),
    ]
