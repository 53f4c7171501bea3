"""`segue world`: make worlds of tracks and listeners, and compare simulations with real logs."""

import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from cli.progress import Bars, bars
from cli.terminal import terminal
from core.errors import InputError
from events.url_path import log_path

if TYPE_CHECKING:
    from simulator.listeners.calibration import Listens
    from simulator.simulation.options import SimulationOptions


def register(app: typer.Typer) -> None:
    """Add the commands."""
    world = typer.Typer(help="Worlds of tracks and listeners.", no_args_is_help=True)
    world.command("create")(create)
    world.command("calibrate")(calibrate)
    app.add_typer(world, name="world")


def create(
    to: Annotated[Path, typer.Option(help="Folder for the world; made if missing.")],
    tracks: Annotated[int, typer.Option(min=100, max=1_000_000, help="Number of tracks.")] = 10_000,
    users: Annotated[
        int, typer.Option(min=10, max=1_000_000, help="Number of listeners.")
    ] = 10_000,
    seed: Annotated[int, typer.Option(help="Seed; the same seed gives the same bytes.")] = 31337,
    keep: Annotated[
        Path | None,
        typer.Option(
            help="Folder for the event log and configs of the first days; not kept if left out."
        ),
    ] = None,
) -> None:
    """Generate a catalog and its listeners, with taste vectors, first lists and learnt vectors.

    Writes `tracks.jsonl`, `users.jsonl`, `embeddings.npy`, `top_tracks.json`,
    `contextual.npz`, `similar.npz` and `personal.npz` in `lists/`, and `interests.npz` in
    `vectors/`. The listeners first play three days. Lists and vectors are learnt from the event
    log of these days, as with `segue train`, and never from the taste vectors.
    """
    import duckdb  # noqa: F401  (training needs it: fail before the days are played)

    from cli.world_warmup import warm_up
    from simulator.world.files import write_world
    from simulator.world.generator import generate_world
    from training.training_table import checksum

    if keep is not None and keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise InputError.one("--keep", f"must be an empty folder or a new one, {keep} is not")
    with bars() as progress:
        world = generate_world(tracks, users, seed, progress).world
        written = write_world(to, world)
        written += warm_up(to, world, seed, progress, keep)
    out = terminal()
    table = Table(
        title=f"{tracks:,} tracks of {len(world.catalog.artists):,} artists, {users:,} listeners",
        title_justify="left",
    )
    table.add_column("file")
    table.add_column("KB", justify="right")
    table.add_column("SHA-256")
    for path in written:
        table.add_row(
            str(path.relative_to(to)), f"{path.stat().st_size / 1000:,.0f}", checksum(path)[:16]
        )
    out.print(table)


def calibrate(
    log: Annotated[
        list[Path],
        typer.Option(
            parser=log_path,
            metavar="PATH",
            help="A real log, ours or botify's: a file, a folder or a URL; repeatable.",
        ),
    ],
    listener: Annotated[
        list[str] | None,
        typer.Option(
            help="Listener model to compare: `botify`, `lifelong` or a YAML file; repeatable.",
            show_default="botify and lifelong",
        ),
    ] = None,
    recommender: Annotated[
        str,
        typer.Option(
            help="The recommender, as in `segue simulate`; ideally the one that wrote the log. "
            "`local` plays the arms of --config."
        ),
    ] = "random",
    config: Annotated[Path, typer.Option(help="Config file of `local`.")] = Path("config.yaml"),
    world: Annotated[Path, typer.Option(help="Folder of the world.")] = Path("data"),
    episodes: Annotated[int, typer.Option(min=1, help="Sessions per day.")] = 5000,
    days: Annotated[int, typer.Option(min=1, help="Days to play.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Seed for all random numbers.")] = 31337,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the moments of a real log beside those of simulated listeners.

    The moments are session lengths, times, skips, first tracks, variety, heavy listeners and
    retention. Where the columns differ, the simulation does not resemble your listeners. Change the
    listener file until it does. Only sessions that ended with final feedback (`final`, `last`)
    count.
    """
    from events.reader import open_log
    from simulator.listeners.calibration import MOMENTS, listens_of_log, moments
    from simulator.simulation.options import SimulationOptions

    columns: dict[str, dict[str, float | None]] = {}
    with bars() as progress:
        with open_log(log, progress=progress) as opened:
            columns["log"] = moments(listens_of_log(opened))
        for name in listener or ["botify", "lifelong"]:
            options = SimulationOptions(
                recommenders=(recommender,),
                world=world,
                listener=name,
                seed=seed,
                episodes=episodes,
                days=days,
                config=config,
                keep_truth=True,
            )
            columns[name] = moments(_simulate(options, progress))
    if as_json:
        print(json.dumps(columns, indent=2))  # noqa: T201
        return
    table = Table(title=f"a real log, and listeners of {recommender}", title_justify="left")
    table.add_column("what")
    for name in columns:
        table.add_column(name, justify="right")
    for moment in MOMENTS:
        values = (_format(columns[name][moment.key], moment.kind) for name in columns)
        table.add_row(moment.label, *values)
    terminal().print(table)


def _simulate(options: "SimulationOptions", progress: Bars) -> "Listens":
    """Play simulated listeners in this process, and return their listens."""
    from simulator.listeners.calibration import listens_of_truth
    from simulator.simulation.plan import plan_simulation
    from simulator.simulation.run import run_simulation

    plan = plan_simulation(options, progress)
    [run] = run_simulation(plan, lambda: nullcontext(progress))
    return listens_of_truth(run.outcome.truth)


def _format(value: float | None, kind: str) -> str:
    if value is None:
        return "-"
    if kind == "count":
        return f"{value:,.0f}"
    return f"{value:.1%}" if kind == "share" else f"{value:.2f}"
