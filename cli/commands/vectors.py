"""`segue vectors`: makes vector files of vectors that you have, and shows what is near a track."""

from enum import Enum
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.table import Table

from cli.progress import bars
from cli.terminal import terminal
from core.catalog import UNKNOWN, load_catalog
from core.errors import InputError
from core.vector_archive import load_vectors
from core.vectors import Vectors

CatalogOption = Annotated[Path, typer.Option("--catalog", help="The catalog, JSON lines.")]


class Owner(Enum):
    """Owners of vectors."""

    TRACK = "track"
    USER = "user"


class Way(Enum):
    """Ways in which a search finds the nearest tracks."""

    AUTO = "auto"
    EXACT = "exact"
    CELLS = "cells"
    GRAPH = "graph"


IndexOption = Annotated[
    Way,
    typer.Option(
        "--index",
        help="How a search finds the tracks near a point: `exact`, a product with each track; "
        "`cells` or `graph` (extra `vectors`), which read few of them and miss some; `auto`, cells "
        "from 20,000 tracks on.",
    ),
]


class Precision(Enum):
    """Type of the numbers on disk."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    group = typer.Typer(
        help="Make vector files of vectors that you have, and show what is near a track.",
        no_args_is_help=True,
    )
    group.command("import")(import_)
    group.command("index")(index)
    group.command("near")(near)
    app.add_typer(group, name="vectors")


def import_(
    file: Annotated[Path, typer.Argument(help="A .npy file, one row a vector; or Parquet.")],
    ids: Annotated[
        str,
        typer.Option(
            help="For .npy a text file, one id a line in the order of the rows; for Parquet the "
            "column with the ids."
        ),
    ],
    catalog: CatalogOption,
    to: Annotated[Path, typer.Option("--to", help="The .npz file to write; replaced if there.")],
    column: Annotated[
        str, typer.Option(help="Parquet: the column with the vectors, lists of numbers.")
    ] = "vector",
    by: Annotated[Owner, typer.Option(help="Owners that the ids name.")] = Owner.TRACK,
    model: Annotated[
        str, typer.Option(help="Name of what made the vectors, for the manifest.")
    ] = "imported",
    drop_unknown: Annotated[
        bool,
        typer.Option("--drop-unknown", help="Leave out tracks that the catalog does not have."),
    ] = False,
    precision: Annotated[
        Precision, typer.Option(help="Type of the numbers on disk.")
    ] = Precision.FLOAT32,
    way: IndexOption = Way.AUTO,
) -> None:
    """Turn vectors of audio, text or a model of yours into a file that the server loads.

    A track that nobody has heard yet has such a vector too, so it can be recommended.
    """
    from training.vector_files import import_vectors

    _check_name(to)
    with bars() as progress:
        progress.start("reading the catalog")
        tracks = load_catalog(catalog)
        made = import_vectors(
            file, to, tracks, ids, column=column, key=by.value, model=model,
            drop_unknown=drop_unknown, precision=precision.value, way=way.value, progress=progress,
        )  # fmt: skip
    out = terminal(soft_wrap=True)
    if dropped := made.manifest.get("dropped"):
        out.print(f"Left out {dropped:,} tracks that the catalog does not have.")
    share = f", {len(made) / len(tracks):.0%} of the catalog" if made.key == "track" else ""
    out.print(
        f"Wrote {to}: {len(made):,} vectors by {made.key} of {made.dimensions} numbers{share}."
    )
    if zero := int((made.lengths == 0).sum()):
        out.print(f"{zero:,} of them have length 0: they point nowhere, so nothing is near.")
    _print_index(made)
    out.print(f"Serve them by name in config:\n  catalog: {{vectors: {{{to.stem}: {to}}}}}")


def index(
    file: Annotated[Path, typer.Argument(help="A vector file, by track.")],
    catalog: CatalogOption,
    to: Annotated[Path, typer.Option("--to", help="The .npz file to write; replaced if there.")],
    way: IndexOption = Way.AUTO,
) -> None:
    """Give the vectors of a file a different index, and print what share of the nearest it finds.

    A search reads as many cells, or as much of the graph, as finds 95 % of the 200 nearest tracks.
    """
    from core.vector_archive import save_again

    _check_name(to)
    tracks = load_catalog(catalog)
    vectors = load_vectors(file, tracks)
    _check_by_track(file, vectors)
    with bars() as progress:
        progress.start("making the index")
        save_again(to, vectors, tracks, way.value)
    terminal().print(f"Wrote {to}: {len(vectors):,} vectors by track.")
    _print_index(load_vectors(to, tracks))


def _print_index(made: Vectors) -> None:
    facts = made.manifest
    if (recall := facts.get("recall")) is not None:
        looked = (
            f"{facts['probed']} cells read"
            if "probed" in facts
            else f"{facts['expansion']} rows kept in view"
        )
        terminal(soft_wrap=True).print(
            f"Index: {facts['index']}, {looked}; of the 10 nearest tracks a search finds "
            f"{recall['of 10']:.1%}, of the 200 nearest {recall['of 200']:.1%}."
        )


def _check_name(to: Path) -> None:
    if to.suffix != ".npz":
        raise InputError.one("--to", f"must be a file that ends in .npz, got {to}")


def _check_by_track(file: Path, vectors: Vectors) -> None:
    if vectors.key != "track":
        raise InputError.one(str(file), "must have vectors by track, has vectors by user")


def near(
    file: Annotated[Path, typer.Argument(help="A vector file, by track.")],
    track: Annotated[str, typer.Argument(help="The track, as the catalog has it.")],
    catalog: CatalogOption,
    top: Annotated[int, typer.Option(min=1, help="Number of tracks to print.")] = 10,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the tracks nearest to a track, with artists, titles and cosines."""
    tracks = load_catalog(catalog)
    vectors = load_vectors(file, tracks)
    _check_by_track(file, vectors)
    index = tracks.index_of(track)
    if index == UNKNOWN:
        raise InputError.one(
            "TRACK", f"track {track!r} is not in {catalog}. Give an id of the catalog"
        )
    row = vectors.row_of_track(index)
    if row < 0:
        raise InputError.one("TRACK", f"track {track!r} has no vector in {file}")
    if not vectors.lengths[row]:
        raise InputError.one("TRACK", f"the vector of {track!r} has length 0, so nothing is near")
    found, cosines = vectors.near(vectors.units[row], top, [index])
    rows = [
        tracks.describe(each) | {"cosine": round(cosine, 4)}
        for each, cosine in zip(found.tolist(), cosines.tolist(), strict=True)
    ]
    about = tracks.describe(index)
    if as_json:
        typer.echo(orjson.dumps({**about, "near": rows}).decode())
        return
    table = Table(title=" · ".join(str(value) for value in about.values()), title_justify="left")
    for name in ("cosine", "track", "artist", "title"):
        table.add_column(name, justify="right" if name == "cosine" else "left", overflow="fold")
    for each in rows:
        table.add_row(
            f"{each['cosine']:.3f}", *(str(each[n]) for n in ("track", "artist", "title"))
        )
    terminal().print(table)
