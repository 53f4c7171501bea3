"""`segue simulate`: let a world of listeners play sessions against a recommender."""

import json
import signal
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from time import perf_counter
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console

from cli.progress import bars
from core.errors import InputError

if TYPE_CHECKING:
    from cli.simulation_plan import SimulationPlan
    from simulator.play.workers import MakeShard, Outcome, WorkerPool

Say = Console(stderr=True, highlight=False)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("simulate")(simulate)


def simulate(
    episodes: Annotated[
        int, typer.Option(min=1, help="Sessions, or sessions a day with --days.")
    ] = 1000,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 31337,
    recommender: Annotated[
        str,
        typer.Option(
            help="Who answers: a server's address, `local` (the config's arms, in this process), "
            "`local:STRATEGY`, `random`, `popular`, `best` (the ceiling: it knows the listeners' "
            "minds) or `console` (you)."
        ),
    ] = "http://127.0.0.1:8000",
    paired: Annotated[
        tuple[str, str] | None,
        typer.Option(
            help="Play each session against both, under the same luck, and say how they differ: "
            "two addresses, or two strategies of the config.",
            metavar="A B",
            show_default=False,
        ),
    ] = None,
    config: Annotated[Path, typer.Option(help="The config file, for `local`.")] = Path(
        "config.yaml"
    ),
    api: Annotated[
        str, typer.Option(help="What the server speaks: `segue`, or `botify`, its predecessor's.")
    ] = "segue",
    days: Annotated[int, typer.Option(min=1, help="Days to play.")] = 1,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask between days.")] = False,
    processes: Annotated[int, typer.Option(min=1, help="Processes that play.")] = 1,
    connections: Annotated[
        int, typer.Option(min=1, help="Connections to the server, all processes together.")
    ] = 32,
    timeout: Annotated[
        float, typer.Option(min=0.001, help="Seconds after which an answer is given up.")
    ] = 10.0,
    max_steps: Annotated[
        int, typer.Option(min=1, help="Recommendations after which a session is cut off.")
    ] = 1000,
    world: Annotated[
        Path, typer.Option(help="Folder of the world: tracks, embeddings, users.")
    ] = Path("data"),
    tracks: Annotated[Path | None, typer.Option(help="Catalog of the world instead.")] = None,
    embeddings: Annotated[Path | None, typer.Option(help="Its taste vectors, .npy.")] = None,
    users: Annotated[Path | None, typer.Option(help="Its listeners, JSON lines.")] = None,
    listener: Annotated[
        str,
        typer.Option(
            help="What listeners are like: `classic`, `lifelong`, or a YAML file that says more."
        ),
    ] = "classic",
    top: Annotated[
        Path | None,
        typer.Option(help="Popularity list for `popular`; top_tracks.json of the world if left."),
    ] = None,
    log: Annotated[
        Path | None, typer.Option(help="`local` only: folder to write an event log to.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="File to write the truth to, one session a line.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Play sessions of simulated listeners against a recommender, and say by arm how they went.

    The same seed gives the same sessions, whatever the number of processes or connections.
    Ctrl-C ends early and shows what was played.
    """
    from cli.simulation_plan import SimulationPlan, make_part, plan_of
    from cli.simulation_tables import (
        SimulationRun,
        paired_json,
        paired_tables,
        run_json,
        run_tables,
    )

    if days > 1 and not yes and not sys.stdin.isatty():
        raise InputError.one("--days", "asks between days, and nobody is there; give --yes")
    with bars() as shown:
        plan: SimulationPlan = plan_of(
            world=world,
            files=(tracks, embeddings, users),
            top=top,
            listener=listener,
            seed=seed,
            config=config,
            api=api,
            processes=processes,
            connections=connections,
            timeout_s=timeout,
            max_steps=max_steps,
            log=log,
            keep_truth=out is not None,
            recommenders=paired or (recommender,),
            is_pair=paired is not None,
            progress=shown,
        )
    makers = [partial(make_part, plan, which) for which in range(len(plan.recommenders))]
    by_hand = any(spec.kind == "console" for spec in plan.recommenders)
    with _interruptible(by_hand) as stopped:
        began = perf_counter()
        outcomes = _play(plan, makers, episodes, days, yes, stopped)
        took_s = perf_counter() - began
    runs = [
        SimulationRun(str(spec), outcome, took_s, stopped())
        for spec, outcome in zip(plan.recommenders, outcomes, strict=True)
    ]
    if out is not None:
        _write_truth(outcomes, out)
    printed: Any
    if as_json:
        about = {"seed": seed, "episodes": episodes, "days": days}
        printed = about | (paired_json(runs) if paired else run_json(runs[0]))
        print(json.dumps(printed, indent=2))  # noqa: T201
    else:
        console = Console(highlight=False)
        for printed in paired_tables(runs) if paired else run_tables(runs[0]):
            console.print(printed)
    if any(outcome.given_up for outcome in outcomes):
        raise typer.Exit(1)


def _play(
    plan: "SimulationPlan",
    makers: "Sequence[MakeShard]",
    episodes: int,
    days: int,
    yes: bool,
    stopped: Callable[[], bool],
) -> "list[Outcome]":
    """Play all days against each recommender, a day at a time."""
    from simulator.play.workers import Outcome, ProcessPool, SingleProcess

    crews: list[WorkerPool] = []
    try:
        for make in makers:
            crews.append(
                SingleProcess(make) if plan.processes == 1 else ProcessPool(make, plan.processes)
            )
        played: list[list[Outcome]] = [[] for _ in crews]
        for day in range(days):
            if day and not (yes or typer.confirm(f"Day {day} is over. Go on?", True, err=True)):
                break
            for spec, crew, outcomes in zip(plan.recommenders, crews, played, strict=True):
                with bars() as shown:
                    of_day = f", day {day + 1} of {days}" if days > 1 else ""
                    outcomes.append(
                        crew.play(
                            day,
                            episodes,
                            partial(shown.start, f"sessions, {spec}{of_day}"),
                            shown.advance,
                            stopped,
                        )
                    )
            if any(outcomes[-1].unfinished for outcomes in played):
                break
        return [Outcome.merge(outcomes) for outcomes in played]
    finally:
        for crew in crews:
            crew.close()


def _write_truth(outcomes: "list[Outcome]", out: Path) -> None:
    from simulator.play.ground_truth import write_truth

    for outcome, path in zip(
        outcomes,
        [out] if len(outcomes) == 1 else [out.with_suffix(f".{x}{out.suffix}") for x in "AB"],
        strict=True,
    ):
        write_truth(outcome.truth, path)
        Say.print(f"Wrote {path}")


@contextmanager
def _interruptible(by_hand: bool) -> Iterator[Callable[[], bool]]:
    """Let the first Ctrl-C ask to stop, and the second stop at once.

    At a console the prompt gets it, which waits for nothing else.
    """
    if by_hand:
        yield lambda: False
        return
    asked: list[int] = []

    def ask(number: int, frame: FrameType | None) -> None:
        asked.append(number)
        signal.signal(signal.SIGINT, before)
        Say.print("\nStopping; Ctrl-C again to leave at once ...")

    before = signal.signal(signal.SIGINT, ask)
    try:
        yield lambda: bool(asked)
    finally:
        signal.signal(signal.SIGINT, before)
