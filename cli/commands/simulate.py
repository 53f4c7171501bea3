"""`segue simulate`: let simulated listeners play sessions against a recommender."""

import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli.progress import bars
from cli.terminal import terminal
from core.errors import InputError

if TYPE_CHECKING:
    from simulator.simulation.run import SimulationRun

_errors = terminal(stderr=True)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("simulate")(simulate)


def simulate(
    episodes: Annotated[
        int, typer.Option(min=1, help="Sessions; with --days, sessions per day.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Seed for all random numbers.")] = 31337,
    recommender: Annotated[
        str,
        typer.Option(
            help="The recommender: the address of a server, `local` (the config's arms, in this "
            "process), `local:STRATEGY`, `random`, `popular`, `oracle` (an upper bound: it reads "
            "the true tastes) or `console` (you)."
        ),
    ] = "http://127.0.0.1:8000",
    paired: Annotated[
        tuple[str, str] | None,
        typer.Option(
            help="Play each session against both A and B with the same random numbers, and show "
            "the difference: two addresses, or two strategies of the config.",
            metavar="A B",
            show_default=False,
        ),
    ] = None,
    config: Annotated[Path, typer.Option(help="Config file of `local`.")] = Path("config.yaml"),
    api: Annotated[str, typer.Option(help="API of the server: `segue` or `botify`.")] = "segue",
    days: Annotated[int, typer.Option(min=1, help="Days to play.")] = 1,
    yes: Annotated[
        bool, typer.Option("--yes", help="Go on after each day without asking.")
    ] = False,
    processes: Annotated[int, typer.Option(min=1, help="Processes that play.")] = 1,
    connections: Annotated[
        int, typer.Option(min=1, help="Connections to the server, over all processes.")
    ] = 32,
    timeout: Annotated[
        float, typer.Option(min=0.001, help="Seconds to wait for a response.")
    ] = 10.0,
    max_steps: Annotated[
        int, typer.Option(min=1, help="Recommendations after which a session is cut off.")
    ] = 1000,
    world: Annotated[
        Path, typer.Option(help="Folder of the world: tracks, embeddings, users.")
    ] = Path("data"),
    tracks: Annotated[
        Path | None, typer.Option(help="Catalog of the world, in place of --world.")
    ] = None,
    embeddings: Annotated[Path | None, typer.Option(help="Its taste vectors, .npy.")] = None,
    users: Annotated[Path | None, typer.Option(help="Its listeners, JSON lines.")] = None,
    listener: Annotated[
        str,
        typer.Option(help="Listener model: `botify`, `lifelong`, or a YAML file with settings."),
    ] = "botify",
    top: Annotated[
        Path | None,
        typer.Option(
            help="Popularity list of `popular`.", show_default="top_tracks.json of the world"
        ),
    ] = None,
    log: Annotated[
        Path | None, typer.Option(help="Folder for the event log; `local` only.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File for the truth log, one session per line.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Play sessions of simulated listeners against a recommender, and show the results by arm.

    The same seed gives the same sessions, whatever the number of processes or connections.
    Ctrl-C ends the simulation early and shows the sessions played so far.
    """
    from cli.simulation_tables import paired_json, paired_tables, run_json, run_tables
    from simulator.simulation.options import SimulationOptions
    from simulator.simulation.plan import plan_simulation
    from simulator.simulation.run import run_simulation

    if days > 1 and not yes and not sys.stdin.isatty():
        raise InputError.one(
            "--days", "needs confirmation between days, but stdin is no terminal. Add --yes"
        )
    options = SimulationOptions(
        recommenders=paired or (recommender,),
        is_paired=paired is not None,
        world=world,
        tracks=tracks,
        embeddings=embeddings,
        users=users,
        top=top,
        listener=listener,
        seed=seed,
        episodes=episodes,
        days=days,
        config=config,
        api=api,
        processes=processes,
        connections=connections,
        timeout_s=timeout,
        max_steps=max_steps,
        log=log,
        keep_truth=out is not None,
    )
    with bars() as progress:
        plan = plan_simulation(options, progress)
    has_console = any(spec.kind == "console" for spec in plan.recommenders)
    with _interruptible(has_console) as should_stop:
        runs = run_simulation(plan, bars, lambda day: yes or _confirm(day), should_stop)
    if out is not None:
        _write_truth(runs, out)
    if as_json:
        values: dict[str, Any] = {"seed": seed, "episodes": episodes, "days": days}
        values |= paired_json(runs) if paired else run_json(runs[0])
        print(json.dumps(values, indent=2))  # noqa: T201
    else:
        console = terminal()
        for table in paired_tables(runs) if paired else run_tables(runs[0]):
            console.print(table)
    if any(run.outcome.given_up for run in runs):
        raise typer.Exit(1)


def _confirm(day: int) -> bool:
    return typer.confirm(f"Day {day} is over. Go on?", True, err=True)


def _write_truth(runs: "Sequence[SimulationRun]", out: Path) -> None:
    from simulator.play.ground_truth import write_truth

    paths = [out] if len(runs) == 1 else [out.with_suffix(f".{x}{out.suffix}") for x in "AB"]
    for run, path in zip(runs, paths, strict=True):
        write_truth(run.outcome.truth, path)
        _errors.print(f"Wrote {path}")


@contextmanager
def _interruptible(has_console: bool) -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C end the simulation, and the second one end the program.

    With the console recommender Ctrl-C goes to the prompt, which ends the simulation by itself.
    """
    if has_console:
        yield lambda: False
        return
    interrupts: list[int] = []

    def interrupt(number: int, frame: FrameType | None) -> None:
        interrupts.append(number)
        signal.signal(signal.SIGINT, before)
        _errors.print("\nStopping; Ctrl-C again to leave at once ...")

    before = signal.signal(signal.SIGINT, interrupt)
    try:
        yield lambda: bool(interrupts)
    finally:
        signal.signal(signal.SIGINT, before)
