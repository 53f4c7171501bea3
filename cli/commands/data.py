"""`segue data import`: public data sets in their own formats, ready to train on and to serve."""

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import orjson
import typer
from rich.table import Table

from cli.progress import bars
from cli.terminal import terminal
from core.errors import InputError

if TYPE_CHECKING:
    from training.importers.import_summary import ImportSummary

_FILES_SHOWN = 20
"""Files whose counts are printed."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    data = typer.Typer(help="Import public listening data.", no_args_is_help=True)
    data.command("import")(import_)
    app.add_typer(data, name="data")


def import_(
    kind: Annotated[
        str,
        typer.Argument(
            help="Format: `lastfm1k`, `lastfm360k`, `listenbrainz`, `mpd`, `spotify_history`, "
            "`taste_profile`, `yambda`, or `table` (CSV, TSV, JSON lines or Parquet with named "
            "columns)."
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
    as_json: Annotated[bool, typer.Option("--json", help="Print the counts as JSON.")] = False,
    artists: Annotated[
        Path | None,
        typer.Option(
            help="`yambda` only: its artist_item_mapping.parquet, unless beside the file."
        ),
    ] = None,
) -> None:
    """Make a catalog, a popularity list and a training table from a public data set.

    Writes `tracks.jsonl`, `top_tracks.json` and `interactions.parquet`, or nothing if a file is
    damaged. Every line that was read is used, bad, left out or in a copy of a file, and is counted
    there; the first bad lines are named. Packed files (gzip, zstd, bzip2, xz) are read as they are.
    """
    from training.importers import import_data
    from training.importers.import_options import ImportOptions

    columns = _parse_columns(column)
    with bars() as progress:
        options = ImportOptions(
            columns, percent, artists, gap * 60, min_plays, most_tracks, progress
        )
        summary = import_data(kind, path, to, options)
    if as_json:
        typer.echo(orjson.dumps(summary.as_json(), option=orjson.OPT_INDENT_2).decode())
        return
    out = terminal(soft_wrap=True)
    out.print(_table(path.name, summary))
    for fault in summary.examples:
        out.print(f"  {fault}")
    for line in _remarks(summary):
        out.print(line)
    out.print(
        f"Wrote {to}/tracks.jsonl, top_tracks.json and interactions.parquet. Train on it with:\n"
        f"  segue train neighbours {to}/interactions.parquet --catalog {to}/tracks.jsonl "
        f"--to {to}/lists"
    )


def _table(name: str, summary: "ImportSummary") -> Table:
    """A table of where every line went, and of what came out of the used ones."""
    shown = Table(title=f"{name} as {summary.kind}", title_justify="left")
    shown.add_column("what")
    shown.add_column("count", justify="right")
    rows = {
        "lines read": summary.lines,
        "= listens used": summary.used,
        **{f"+ bad: {reason}": count for reason, count in sorted(summary.bad.items())},
        **{f"+ left out: {reason}": count for reason, count in sorted(summary.left_out.items())},
        "+ in copies of files": summary.copies,
        "sessions": summary.sessions,
        "listeners": summary.listeners,
        "tracks": summary.tracks,
        **{f"note: {reason}": count for reason, count in sorted(summary.notes.items())},
    }
    for what, count in rows.items():
        if count or not what.startswith("+"):
            shown.add_row(what, f"{count:,}")
    return shown


def _remarks(summary: "ImportSummary") -> Iterator[str]:
    """Lines about the period and the files."""
    from training.importers.import_summary import iso

    if summary.period_ms is None:
        yield "The listens have no times, so a listener's sessions have no order in time."
    elif summary.origin:
        days = (summary.period_ms[1] - summary.period_ms[0]) / 86_400_000
        yield f"Period: {days:.1f} days ({summary.origin})."
    else:
        yield f"Period: {iso(summary.period_ms[0])} to {iso(summary.period_ms[1])}."
    if len(summary.files) > 1:
        for file in summary.files[:_FILES_SHOWN]:
            listens = f"a copy of {file.copy_of}" if file.copy_of else f"{file.listens:,} listens"
            yield f"  {file.name}: {file.lines:,} lines, {listens}"
        if len(summary.files) > _FILES_SHOWN:
            yield f"  and {len(summary.files) - _FILES_SHOWN:,} more files; --json has them all"
    if summary.ignored:
        yield f"Not read, because their names do not fit: {', '.join(summary.ignored)}."


def _parse_columns(pairs: list[str] | None) -> dict[str, str]:
    columns = {}
    for pair in pairs or ():
        meaning, equals, name = pair.partition("=")
        if not equals or not name:
            raise InputError.one("--column", f"must be MEANING=COLUMN, got {pair!r}")
        columns[meaning] = name
    return columns
