"""`segue lists`: make list files that the server maps into memory, and look into them."""

import hashlib
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import orjson
import typer
from rich.console import Console
from rich.table import Table

from cli.progress import bars
from core.catalog import UNKNOWN, Catalog, TrackId, load_catalog
from core.errors import InputError
from core.lists import Lists, load_lists, read_lists, save_lists

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
        help="Make list files that the server maps into memory, and look into them.",
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
    model: Annotated[str, typer.Option(help="What made the lists, for the manifest.")] = "imported",
    drop_unknown: Drop = False,
) -> None:
    """Turn lists in JSON lines into the file that the server maps into memory.

    Lines are `{"user": 7, "tracks": [...]}`, `{"track": 7, "recommendations": [...]}` or
    `{"item_id": 7, "recommendations": [...]}`, best first.
    """
    _check_target(to)
    with bars() as progress:
        progress.start("reading the catalog")
        tracks = load_catalog(catalog)
        progress.start("reading the lists")
        lists = read_lists(file, tracks, drop_unknown)
        progress.start("writing")
        rows = {key: _row(lists, row) for row, key in enumerate(lists.keys)}
        about = {"model": model, **_about("import", file, lists)}
        save_lists(to, lists.key, rows, tracks, about)  # type: ignore[arg-type]
    _say(to, load_lists(to, tracks), len(tracks))


def cooccurrence(
    file: Annotated[Path, typer.Argument(help="Lists by user: JSON lines, or a list file.")],
    catalog: CatalogOption,
    to: To,
    top: Annotated[int, typer.Option(min=1, help="Length of the lists.")] = 100,
    at_least: Annotated[
        int, typer.Option(min=1, help="How many users' lists two tracks must share.")
    ] = 1,
    drop_unknown: Drop = False,
) -> None:
    """Make lists by track out of lists by user: near is what stands on the same users' lists.

    Nearness is the cosine: how many lists have both, divided by the root of the product of how
    many have either. Exact, and the same on every machine.
    """
    from training.cooccurrence import rank_by_cooccurrence as near
    from training.top_k import NONE

    _check_target(to)
    with bars() as progress:
        progress.start("reading the catalog")
        tracks = load_catalog(catalog)
        progress.start("reading the lists")
        lists = _loaded(file, tracks, drop_unknown)
        if lists.key != "user":
            raise InputError.one(str(file), "must be lists by user, is keyed by track")
        ranked = near(lists, len(tracks), top, at_least=at_least, progress=progress)
        lengths = (ranked != NONE).sum(axis=1).tolist()
        rows = {key: ranked[key, :length] for key, length in enumerate(lengths) if length}
        if not rows:
            raise InputError.one(
                str(file),
                f"must have two tracks that share {at_least} lists, has none. "
                "Give more lists, or a lower --at-least",
            )
        progress.start("writing")
        about = {
            "model": "cooccurrence",
            "params": {"top": top, "at_least": at_least},
            **_about("cooccurrence", file, lists),
        }
        save_lists(to, "track", rows, tracks, about)
    _say(to, load_lists(to, tracks), len(tracks))


def show(
    file: Annotated[Path, typer.Argument(help="A list file, or lists in JSON lines.")],
    owner: Annotated[
        str, typer.Argument(help="Whose list: a track or a user, as the file has it.")
    ],
    catalog: CatalogOption,
    top: Annotated[int, typer.Option(min=1, help="How many tracks of it.")] = 20,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the list of a track or a user, with artists and titles."""
    tracks = load_catalog(catalog)
    lists = load_lists(file, tracks)
    index = tracks.index_of(owner)
    if lists.key == "track" and index == UNKNOWN:
        raise InputError.one("OWNER", f"track {owner!r} is not in {catalog}")
    found = lists.of_track(index) if lists.key == "track" else lists.of_user(owner)
    if found is None:
        raise InputError.one("OWNER", f"{lists.key} {owner!r} has no list in {file}")
    rows = [tracks.describe(track) for track in found.first(top)]
    about: dict[str, TrackId] = tracks.describe(index) if lists.key == "track" else {"user": owner}
    if as_json:
        said = {**about, "list": rows, "length": len(found)}
        typer.echo(orjson.dumps(said).decode())
        return
    title = " · ".join(str(value) for value in about.values() if value != "")
    table = Table(title=f"{lists.key} {title}", title_justify="left")
    for name in ("rank", "track", "artist", "title"):
        table.add_column(name, justify="right" if name == "rank" else "left", overflow="fold")
    for rank, row in enumerate(rows, start=1):
        table.add_row(str(rank), *(str(row[name]) for name in ("track", "artist", "title")))
    out = Console(highlight=False)
    out.print(table)
    if len(found) > len(rows):
        out.print(f"{len(rows)} of {len(found)}; --top {len(found)} shows all.")


def _check_target(to: Path) -> None:
    if to.suffix != ".npz":
        raise InputError.one("--to", f"must be a file that ends in .npz, got {to}")
    if not to.parent.is_dir():
        raise InputError.one("--to", f"folder {to.parent} must be there. Make it first")


def _loaded(file: Path, catalog: Catalog, drop_unknown: bool) -> Lists:
    if file.suffix == ".npz":
        return load_lists(file, catalog)
    return read_lists(file, catalog, drop_unknown)


def _row(lists: Lists, row: int) -> Any:
    return lists.tracks[lists.offsets[row] : lists.offsets[row + 1]]


def _about(command: str, file: Path, lists: Lists) -> dict[str, Any]:
    """What the manifest says of how the lists were made; no date, so same input, same bytes."""
    dropped = lists.manifest.get("dropped")
    return {
        "made_by": f"segue lists {command}",
        "from": {file.name: hashlib.sha256(file.read_bytes()).hexdigest()},
        **({"dropped": dropped} if dropped else {}),
    }


def _say(path: Path, lists: Lists, size: int) -> None:
    lengths = np.diff(lists.offsets)
    out = Console(highlight=False, soft_wrap=True)
    dropped = lists.manifest.get("dropped")
    if dropped:
        out.print(
            f"Left out {dropped['tracks']:,} tracks that the catalog does not have, and "
            f"{dropped['lists']:,} lists."
        )
    shortest, longest = lengths.min(), lengths.max()
    sizes = f"{shortest}" if shortest == longest else f"{shortest} to {longest}"
    out.print(
        f"Wrote {path}: {len(lists):,} lists by {lists.key} of {sizes} tracks, "
        f"{len(np.unique(lists.tracks)):,} of the catalog's {size:,} on them."
    )
    out.print(f"Serve them by name in config:\n  catalog: {{lists: {{{path.stem}: {path}}}}}")
