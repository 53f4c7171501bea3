"""`segue world`: make worlds of tracks and listeners, and hold simulated ones against real logs."""

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from cli.progress import bars


def register(app: typer.Typer) -> None:
    """Add the commands."""
    world = typer.Typer(help="Worlds of tracks and listeners.", no_args_is_help=True)
    world.command("create")(create)
    app.add_typer(world, name="world")


def create(
    to: Annotated[Path, typer.Option(help="Folder to write to; made if missing.")],
    tracks: Annotated[int, typer.Option(min=100, max=1_000_000, help="How many tracks.")] = 10_000,
    users: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many listeners.")] = 10_000,
    seed: Annotated[int, typer.Option(help="The same seed makes the same bytes.")] = 31337,
) -> None:
    """Invent a catalog and its listeners, with taste vectors and lists to start from.

    Writes `tracks.jsonl`, `users.jsonl`, `embeddings.npy`, `top_tracks.json`,
    `lists/contextual.npz` and `lists/personal.npz`. The lists are made of listening that the
    listeners play first, never of the taste vectors.
    """
    from simulator.creation import create as made_up
    from simulator.dowry import checksums, endow, write_world

    with bars() as progress:
        world = made_up(tracks, users, seed, progress).world
        dowry = endow(world, seed, progress)
        progress.start("writing")
        written = write_world(to, world, dowry, seed)
    out = Console(highlight=False)
    shown = Table(
        title=f"{tracks:,} tracks of {len(world.catalog.artists):,} artists, {users:,} listeners, "
        f"lists of {dowry.listens:,} listens",
        title_justify="left",
    )
    shown.add_column("file")
    shown.add_column("KB", justify="right")
    shown.add_column("SHA-256")
    for path, checksum in checksums(written).items():
        shown.add_row(
            str(path.relative_to(to)), f"{path.stat().st_size / 1000:,.0f}", checksum[:16]
        )
    out.print(shown)
