"""`segue data import`: public data sets in their own formats, ready to train on and to serve."""

from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from cli.progress import bars
from cli.terminal import terminal
from core.errors import InputError


def register(app: typer.Typer) -> None:
    """Add the commands."""
    data = typer.Typer(help="Import public listening data.", no_args_is_help=True)
    data.command("import")(import_)
    app.add_typer(data, name="data")


def import_(
    kind: Annotated[
        str,
        typer.Argument(
            help="Format: `lastfm1k`, `lastfm360k`, `listenbrainz`, `mpd`, `taste_profile`, "
            "`yambda`, or `table` (CSV, TSV, JSON lines or Parquet with named columns)."
        ),
    ],
    path: Annotated[Path, typer.Argument(help="The file, or a folder of its files.")],
    to: Annotated[Path, typer.Option(help="Folder to write to; made if missing.")],
    min_plays: Annotated[
        int, typer.Option(min=1, help="Leave out tracks that were played less often.")
    ] = 1,
    most_tracks: Annotated[
        int | None, typer.Option(min=1, help="Keep only this many tracks, the most played.")
    ] = None,
    gap: Annotated[
        float, typer.Option(min=0, help="Minutes of silence that end a session.")
    ] = 30.0,
    column: Annotated[
        list[str] | None,
        typer.Option(
            help="`table` only: the column of a meaning, as `user=listener`; repeatable. "
            "Meanings: user, track, time, at, session, position, artist, title, plays."
        ),
    ] = None,
    percent: Annotated[
        bool, typer.Option("--percent", help="`table` only: its time is in percent.")
    ] = False,
    artists: Annotated[
        Path | None,
        typer.Option(
            help="`yambda` only: its artist_item_mapping.parquet, unless beside the file."
        ),
    ] = None,
) -> None:
    """Make a catalog, a popularity list and a training table from a public data set.

    Writes `tracks.jsonl`, `top_tracks.json` and `interactions.parquet`. Counts bad lines by
    reason, and names the first of them.
    """
    from training.importers import import_data
    from training.importers.collector import ImportOptions

    columns = _parse_columns(column)
    with bars() as progress:
        options = ImportOptions(
            columns, percent, artists, gap * 60, min_plays, most_tracks, progress
        )
        table, collector = import_data(kind, path, to, options)
    out = terminal()
    shown = Table(title=f"{path.name} as {kind}", title_justify="left")
    shown.add_column("what")
    shown.add_column("count", justify="right")
    rows = {
        "listens": len(table),
        "sessions": table.sessions,
        "listeners": len(table.users),
        "tracks": len(table.catalog),
        **{f"bad: {reason}": count for reason, count in sorted(collector.bad.items())},
        **{f"note: {reason}": count for reason, count in sorted(collector.notes.items())},
    }
    for what, count in rows.items():
        shown.add_row(what, f"{count:,}")
    out.print(shown)
    for fault in collector.examples:
        out.print(f"  {fault}", soft_wrap=True)
    out.print(
        f"Wrote {to}/tracks.jsonl, top_tracks.json and interactions.parquet. Train on it with:\n"
        f"  segue train neighbours {to}/interactions.parquet --catalog {to}/tracks.jsonl "
        f"--to {to}/lists",
        soft_wrap=True,
    )


def _parse_columns(pairs: list[str] | None) -> dict[str, str]:
    columns = {}
    for pair in pairs or ():
        meaning, equals, name = pair.partition("=")
        if not equals or not name:
            raise InputError.one("--column", f"must be MEANING=COLUMN, got {pair!r}")
        columns[meaning] = name
    return columns
