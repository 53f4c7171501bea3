"""`segue demo`: serve, log, learn from the log, serve the learnt lists, measure them.

Every step is a command that the demo prints and that you can type. The steps share only HTTP, event
logs, list files and one config.
"""

import shlex
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer

from cli.terminal import terminal
from core.errors import SegueError

_out = terminal(soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    config: Annotated[
        Path, typer.Option(help="A config, of which the demo uses only the catalog.")
    ] = Path("config.yaml"),
    world: Annotated[
        Path | None,
        typer.Option(help="Folder of the world.", show_default="the folder of the catalog"),
    ] = None,
    to: Annotated[Path, typer.Option(help="Folder for config, log, lists and report.")] = Path(
        "demo"
    ),
    episodes: Annotated[
        int, typer.Option(min=100, help="Sessions per day, for two days.")
    ] = 60_000,
    seed: Annotated[int, typer.Option(min=0, help="Seed of simulation and training.")] = 31337,
) -> None:
    """Show the whole loop on this machine: a random day, learnt lists, two experiments.

    The demo starts a server that plays at random, simulates a day of listeners, and learns lists
    from the log. It reloads the server with these lists and runs two experiments for a day. Then it
    verifies the log and writes the report. It prints each step as a command.
    """
    from cli.demo_config import LEARNT_DAY, LISTS, RANDOM_DAY, clear_folder, write_config
    from cli.demo_server import run_server
    from engine.settings.loading import load_settings

    if not hasattr(signal, "SIGHUP"):
        raise SegueError(
            "demo: lets a server reload by SIGHUP, which Windows does not have. Run it in WSL, or "
            "take its steps yourself: docs/training.md"
        )
    began = monotonic()
    settings = load_settings(config)
    tracks = settings.resolve(settings.catalog.tracks)
    clear_folder(to)
    own, log = to / "config.yaml", str(to / "log")
    write_config(own, tracks, RANDOM_DAY)
    play = ["simulate", "--world", str(world or tracks.parent), "--episodes", str(episodes)]
    learn = ["--catalog", str(tracks), "--to", str(to / "lists"), "--seed", str(seed)]
    _print_title("Start a server")
    with run_server(own, to / "server.log", _print_command) as server:
        _out.print(f"It listens on {server.address}")
        play += ["--recommender", server.address]
        _step("A day of listening to random tracks", *play, "--seed", str(seed))
        _step("Learn which tracks are popular", "train", "popular", log, *learn)
        _step(
            "Learn which tracks go together",
            "train", "neighbours", log, *learn, "--variant", "bm25", "--top", "30",
        )  # fmt: skip
        _step(
            "Learn the tastes of listeners",
            "train", "factors", log, *learn, "--top", "30", "--set", "factors=32",
            "--set", "regularization=0.1",
        )  # fmt: skip
        _print_title("Serve the learnt lists, to listeners split into the arms of two experiments")
        write_config(own, tracks, LEARNT_DAY, LISTS)
        server.reload([experiment["name"] for experiment in LEARNT_DAY["experiments"]])
        _out.print(f"{own} names the lists now; the server got a SIGHUP and serves them.")
        _step("A day of both experiments", *play, "--seed", str(seed + 1))
    _step("Is the log valid?", "verify", log)
    page = to / "report.html"
    _step("Which arm won?", "report", log, "--config", str(own), "--html", str(page))
    _print_title(f"Done in {(monotonic() - began) / 60:.1f} minutes")
    _out.print(f"The report:       {page.resolve().as_uri()}")
    _out.print(f"The event log:    {log}")
    _out.print(f"Lists, metrics:   {to / 'lists'}")
    _out.print(f"Serve it again:   segue serve --config {own}")


def _step(title: str, *arguments: str) -> None:
    """Print a command of ours, and run it in a process of its own."""
    _print_title(title)
    _print_command(shlex.join(["segue", *arguments]))
    ended = subprocess.run([sys.executable, "-m", "cli", *arguments], check=False)  # noqa: S603
    if ended.returncode:
        raise SegueError(
            f"demo: `segue {arguments[0]}` ended with code {ended.returncode}; see its own message "
            "above"
        )


def _print_title(title: str) -> None:
    _out.print(f"\n{title}", style="bold")


def _print_command(command: str) -> None:
    _out.print(f"$ {command}", style="dim")
