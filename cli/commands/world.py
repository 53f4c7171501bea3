"""`segue world`: make worlds of tracks and listeners, and hold simulated ones against real logs."""

import json
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.progress import Bars, bars
from core.errors import InputError

if TYPE_CHECKING:
    from simulator.listeners.calibration import Listens


def register(app: typer.Typer) -> None:
    """Add the commands."""
    world = typer.Typer(help="Worlds of tracks and listeners.", no_args_is_help=True)
    world.command("create")(create)
    world.command("calibrate")(calibrate)
    app.add_typer(world, name="world")


def create(
    to: Annotated[Path, typer.Option(help="Folder to write to; made if missing.")],
    tracks: Annotated[int, typer.Option(min=100, max=1_000_000, help="How many tracks.")] = 10_000,
    users: Annotated[int, typer.Option(min=10, max=1_000_000, help="How many listeners.")] = 10_000,
    seed: Annotated[int, typer.Option(help="The same seed makes the same bytes.")] = 31337,
    keep: Annotated[
        Path | None,
        typer.Option(help="Folder to keep the first days in: their event log, and configs."),
    ] = None,
) -> None:
    """Invent a catalog and its listeners, with taste vectors and lists to start from.

    Writes `tracks.jsonl`, `users.jsonl`, `embeddings.npy`, `top_tracks.json`, and
    `contextual.npz`, `similar.npz` and `personal.npz` in `lists/`. The lists are learnt as with
    `segue train`, from the event log of three days that the listeners play first, never from the
    taste vectors.
    """
    import duckdb  # noqa: F401  (learning needs it: say so before anything is played)

    from cli.world_warmup import warm_up
    from simulator.world.files import write_world
    from simulator.world.generator import generate_world as made_up
    from training.interactions import checksum

    if keep is not None and keep.exists() and (not keep.is_dir() or any(keep.iterdir())):
        raise InputError.one("--keep", f"must be an empty folder or none yet, {keep} is not")
    with bars() as progress:
        world = made_up(tracks, users, seed, progress).world
        written = write_world(to, world)
        written += warm_up(to, world, seed, progress, keep)
    out = Console(highlight=False)
    shown = Table(
        title=f"{tracks:,} tracks of {len(world.catalog.artists):,} artists, {users:,} listeners",
        title_justify="left",
    )
    shown.add_column("file")
    shown.add_column("KB", justify="right")
    shown.add_column("SHA-256")
    for path in written:
        shown.add_row(
            str(path.relative_to(to)), f"{path.stat().st_size / 1000:,.0f}", checksum(path)[:16]
        )
    out.print(shown)


def calibrate(
    log: Annotated[
        list[Path],
        typer.Option(help="A real log: files or folders, ours or the predecessor's; repeatable."),
    ],
    listener: Annotated[
        list[str] | None,
        typer.Option(
            help="Listeners to hold against it: `classic`, `lifelong` or a YAML file; repeatable.",
            show_default="classic and lifelong",
        ),
    ] = None,
    recommender: Annotated[
        str,
        typer.Option(
            help="Who answers them, as in `segue simulate`: best what wrote the log. "
            "`local` is the arms of --config."
        ),
    ] = "random",
    config: Annotated[Path, typer.Option(help="The config file, for `local`.")] = Path(
        "config.yaml"
    ),
    world: Annotated[Path, typer.Option(help="Folder of the world.")] = Path("data"),
    episodes: Annotated[int, typer.Option(min=1, help="Sessions a day.")] = 5000,
    days: Annotated[int, typer.Option(min=1, help="Days to play.")] = 3,
    seed: Annotated[int, typer.Option(min=0, help="Of everything random.")] = 31337,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print moments of a real log beside those of simulated listeners.

    Session lengths, times, skips, first tracks, variety, heavy listeners and returning: where the
    columns differ, the simulation is not like your listeners yet. Change the listener file until
    it is. Only sessions that ended with their listener saying so (`final`, `last`) count.
    """
    from events.reader import open_log
    from simulator.listeners.calibration import MOMENTS, listens_of_log, moments

    columns: dict[str, dict[str, float | None]] = {}
    with bars() as progress:
        with open_log(log, progress=progress) as opened:
            columns["log"] = moments(listens_of_log(opened))
        for name in listener or ["classic", "lifelong"]:
            simulated = _simulated(name, recommender, config, world, episodes, days, seed, progress)
            columns[name] = moments(simulated)
    if as_json:
        print(json.dumps(columns, indent=2))  # noqa: T201
        return
    shown = Table(title=f"a real log, and listeners of {recommender}", title_justify="left")
    shown.add_column("what")
    for name in columns:
        shown.add_column(name, justify="right")
    for moment in MOMENTS:
        values = (_written(columns[name][moment.key], moment.kind) for name in columns)
        shown.add_row(moment.label, *values)
    Console(highlight=False).print(shown)


def _simulated(
    listener: str,
    recommender: str,
    config: Path,
    world: Path,
    episodes: int,
    days: int,
    seed: int,
    progress: Bars,
) -> "Listens":
    """Some days of these listeners against a recommender, in this process."""
    from cli.simulation_plan import make_part, plan_of
    from simulator.listeners.calibration import listens_of_truth
    from simulator.play.workers import SingleProcess

    plan = plan_of(
        world=world,
        files=(None, None, None),
        top=None,
        listener=listener,
        seed=seed,
        config=config,
        api="segue",
        processes=1,
        connections=1,
        timeout_s=10,
        max_steps=1000,
        log=None,
        keep_truth=True,
        recommenders=(recommender,),
        is_pair=False,
        progress=progress,
    )
    crew = SingleProcess(partial(make_part, plan, 0))
    truth: dict[int, bytes] = {}
    try:
        for day in range(days):
            start = partial(progress.start, f"{listener} listeners, day {day + 1} of {days}")
            truth.update(crew.play(day, episodes, start, progress.advance, lambda: False).truth)
    finally:
        crew.close()
    return listens_of_truth(truth)


def _written(value: float | None, kind: str) -> str:
    if value is None:
        return "-"
    if kind == "count":
        return f"{value:,.0f}"
    return f"{value:.1%}" if kind == "share" else f"{value:.2f}"
