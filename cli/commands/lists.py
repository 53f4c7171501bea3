"""`segue lists`: makes list files that the server maps into memory, and shows their lists."""

from pathlib import Path
from typing import Annotated

import numpy as np
import orjson
import typer
from rich.table import Table

from cli.progress import bars
from cli.terminal import terminal
from core.catalog import UNKNOWN, TrackId, load_catalog
from core.errors import InputError
from core.lists import Lists, load_lists

CatalogOption = Annotated[Path, typer.Option("--catalog", help="The catalog, JSON lines.")]
To = Annotated[Path, typer.Option("--to", help="The .npz file to write; replaced if there.")]
Drop = Annotated[
    bool,
    typer.Option(
        "--drop-unknown", help="Leave out tracks that the catalog does not have, and count them."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="Make list files that the server maps into memory, and show their lists.",
        no_args_is_help=True,
    )
    group.command("import")(import_)
    group.command("cooccurrence")(cooccurrence)
    group.command("show")(show)
    app.add_typer(group, name="lists")


def import_(
    file: Annotated[Path, typer.Argument(help="JSON lines, of lists by user or by track.")],
    catalog: CatalogOption,
    to: To,
    model: Annotated[
        str, typer.Option(help="Name of what made the lists, for the manifest.")
    ] = "imported",
    drop_unknown: Drop = False,
) -> None:
    """Turn lists in JSON lines into the file that the server maps into memory.

    Lines are `{"user": 7, "tracks": [...]}`, `{"track": 7, "recommendations": [...]}` or
    `{"item_id": 7, "recommendations": [...]}`, best first; all of them or none with `"scores"`.
    """
    from training.list_files import convert_lists

    with bars() as progress:
        progress.start("reading the catalog")
        tracks = load_catalog(catalog)
        lists = convert_lists(
            file, to, tracks, model=model, drop_unknown=drop_unknown, progress=progress
        )
    _print_summary(to, lists, len(tracks))


def cooccurrence(
    file: Annotated[Path, typer.Argument(help="Lists by user: JSON lines, or a list file.")],
    catalog: CatalogOption,
    to: To,
    top: Annotated[int, typer.Option(min=1, help="Length of the lists.")] = 100,
    at_least: Annotated[
        int, typer.Option(min=1, help="Number of users' lists that two tracks must share.")
    ] = 1,
    drop_unknown: Drop = False,
) -> None:
    """Make lists by track from lists by user: similar tracks are on the same users' lists.

    The similarity is the cosine: the number of lists with both, divided by the root of the product
    of the numbers of lists with either. It is exact, and the same on every machine.
    """
    from training.list_files import make_cooccurrence_lists

    with bars() as progress:
        progress.start("reading the catalog")
        tracks = load_catalog(catalog)
        lists = make_cooccurrence_lists(
            file, to, tracks, top=top, at_least=at_least, drop_unknown=drop_unknown,
            progress=progress,
        )  # fmt: skip
    _print_summary(to, lists, len(tracks))


def show(
    file: Annotated[Path, typer.Argument(help="A list file, or lists in JSON lines.")],
    owner: Annotated[
        str, typer.Argument(help="The track or user of the list, as the file has it.")
    ],
    catalog: CatalogOption,
    top: Annotated[int, typer.Option(min=1, help="Number of tracks to print.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the list of a track or a user, with artists and titles."""
    tracks = load_catalog(catalog)
    lists = load_lists(file, tracks)
    index = tracks.index_of(owner)
    if lists.key == "track" and index == UNKNOWN:
        raise InputError.one(
            "OWNER", f"track {owner!r} is not in {catalog}. Give an id of the catalog"
        )
    found = lists.of_track(index) if lists.key == "track" else lists.of_user(owner)
    if found is None:
        raise InputError.one(
            "OWNER", f"{lists.key} {owner!r} has no list in {file}. Give the key of a list in it"
        )
    rows = [tracks.describe(track) for track in found.first(top)]
    about: dict[str, TrackId] = tracks.describe(index) if lists.key == "track" else {"user": owner}
    if as_json:
        content = {**about, "list": rows, "length": len(found)}
        typer.echo(orjson.dumps(content).decode())
        return
    title = " · ".join(str(value) for value in about.values() if value != "")
    table = Table(title=f"{lists.key} {title}", title_justify="left")
    for name in ("rank", "track", "artist", "title"):
        table.add_column(name, justify="right" if name == "rank" else "left", overflow="fold")
    for rank, row in enumerate(rows, start=1):
        table.add_row(str(rank), *(str(row[name]) for name in ("track", "artist", "title")))
    out = terminal()
    out.print(table)
    if len(found) > len(rows):
        out.print(f"{len(rows)} of {len(found)}; --top {len(found)} shows all.")


def _print_summary(path: Path, lists: Lists, size: int) -> None:
    lengths = np.diff(lists.offsets)
    out = terminal(soft_wrap=True)
    dropped = lists.manifest.get("dropped")
    if dropped:
        out.print(
            f"Left out {dropped['tracks']:,} tracks that the catalog does not have, and "
            f"{dropped['lists']:,} lists."
        )
    empty = lists.manifest.get("empty")
    if empty:
        out.print(f"{empty:,} lists of the file are empty: those {lists.key}s have no list.")
    shortest, longest = lengths.min(), lengths.max()
    sizes = f"{shortest}" if shortest == longest else f"{shortest} to {longest}"
    out.print(
        f"Wrote {path}: {len(lists):,} lists by {lists.key} of {sizes} tracks, "
        f"{len(np.unique(lists.tracks)):,} of the catalog's {size:,} on them."
    )
    out.print(f"Serve them by name in config:\n  catalog: {{lists: {{{path.stem}: {path}}}}}")
