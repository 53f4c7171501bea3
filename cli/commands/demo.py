"""`segue demo`: learn from the log round by round, then measure what was learnt.

Every step is a command that the demo prints and that you can type. The steps share only event logs,
list files and one config.
"""

import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING, Annotated

import typer

from cli.terminal import terminal
from core.errors import SegueError

if TYPE_CHECKING:
    from engine.settings.model import Settings

_out = terminal(soft_wrap=True)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("demo")(demo)


def demo(
    config: Annotated[
        Path,
        typer.Option(help="A config, of which the demo uses the catalog and the list `personal`."),
    ] = Path("config.yaml"),
    world: Annotated[
        Path | None,
        typer.Option(help="Folder of the world.", show_default="the folder of the catalog"),
    ] = None,
    to: Annotated[Path, typer.Option(help="Folder for config, log, lists and report.")] = Path(
        "demo"
    ),
    episodes: Annotated[int, typer.Option(min=100, help="Sessions per day.")] = 20_000,
    rounds: Annotated[int, typer.Option(min=2, help="Days of the loop that learns.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Seed of simulation and training.")] = 31337,
) -> None:
    """Show the whole loop on this machine: lists that one has, learnt lists, two experiments.

    On the first day listeners hear the lists that you have, shuffled; without any, random tracks.
    `segue learn` learns from the log, tries each version on a share of the listeners, and promotes
    it. Then a server plays the two experiments of the default config over the learnt lists, and the
    recommended recipe in a third arm. The demo verifies the log and writes the report.
    """
    from cli.demo_config import COMPARING, LEARNING, MODELS, clear_folder, write_config
    from cli.demo_server import run_server
    from engine.settings.learnt_artifacts import ServingState
    from engine.settings.loading import load_settings
    from learning.version_store import VersionStore

    if not hasattr(signal, "SIGHUP"):
        raise SegueError(
            "demo: ends its server by a signal, as a server reloads by SIGHUP, which Windows does "
            "not have. Run it in WSL, or take its steps yourself: docs/learning.md"
        )
    began = monotonic()
    settings = load_settings(config, ServingState())
    tracks = settings.resolve(settings.catalog.tracks)
    clear_folder(to)
    own = to / "config.yaml"
    play = ["simulate", "--world", str(world or tracks.parent), "--episodes", str(episodes)]
    top = _make_first_lists(settings, to, play, seed)
    write_config(own, tracks, LEARNING, top)
    models = [part for name, model in MODELS.items() for part in ("--model", f"{name}={model}")]
    _step(
        "Learn round by round: a day of listening, a version, its pilot, its promotion",
        "learn", "--config", str(own), "--world", str(world or tracks.parent),
        "--rounds", str(rounds), "--episodes", str(episodes), "--strategy", "exploring",
        "--pilot", "0.3", "--least", "100", *models, "--seed", str(seed),
    )  # fmt: skip
    store = VersionStore(to / "artifacts")
    store.save_state(ServingState(store.state().promoted))  # a pilot has no slots from now on
    _print_title("Serve what was learnt, to listeners split into the arms of two experiments")
    write_config(own, tracks, COMPARING, top)
    with run_server(own, to / "server.log", _print_command) as server:
        _out.print(f"It listens on {server.address}")
        last = [*play, "--recommender", server.address, "--seed", str(seed + 1)]
        _step("A day of both experiments", *last)
    served, page = str(to / "served"), to / "report.html"
    _step("Is the log valid?", "verify", served)
    _step("Which arm won?", "report", served, "--config", str(own), "--html", str(page))
    _print_title(f"Done in {(monotonic() - began) / 60:.1f} minutes")
    _out.print(f"The report:         {page.resolve().as_uri()}")
    _out.print(f"The rounds:         {(to / 'artifacts' / 'rounds.svg').resolve().as_uri()}")
    _out.print(f"Every decision:     {store.folder / 'decisions.jsonl'}")
    _out.print(f"The version before: segue learn --config {own} --roll-back")
    _out.print(f"Serve it again:     segue serve --config {own}")


def _make_first_lists(settings: "Settings", to: Path, play: list[str], seed: int) -> Path:
    """Make the lists of the first day; return the popularity list."""
    from cli.demo_config import RANDOM_DAY, write_config

    section, lists = settings.catalog, to / "lists"
    tracks = str(settings.resolve(section.tracks))
    lists.mkdir()
    if "personal" in section.lists and section.top is not None:
        shutil.copy(settings.resolve(section.lists["personal"]), lists / "personal.npz")
        _step(
            "The lists that you have: tracks go together that are in the same listeners' lists",
            "lists", "cooccurrence", str(lists / "personal.npz"), "--catalog", tracks,
            "--to", str(lists / "similar.npz"),
        )  # fmt: skip
        shutil.copy(lists / "similar.npz", lists / "contextual.npz")
        return settings.resolve(section.top)
    first = to / "first.yaml"
    write_config(first, settings.resolve(section.tracks), {**RANDOM_DAY})
    log, seeded = str(to / "first"), ["--seed", str(seed)]
    _step(
        "No list `personal`: a day of listening to random tracks",
        *play, "--recommender", "local", "--config", str(first), "--log", log, *seeded,
    )  # fmt: skip
    learn = [log, "--catalog", tracks, "--to", str(lists), *seeded]
    _step("Learn which tracks are popular", "train", "popular", *learn)
    _step("Learn the first lists", "train", "neighbours", *learn, "--variant", "listener")
    (lists / "neighbours_listener_by_listener.npz").rename(lists / "personal.npz")
    (lists / "neighbours_listener_by_track.npz").rename(lists / "similar.npz")
    shutil.copy(lists / "similar.npz", lists / "contextual.npz")
    return lists / "popular.json"


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
