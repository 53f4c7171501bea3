"""`segue logs`: collects event files of servers, compacts them, and shows their content."""

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.table import Table

from cli.engine_options import ConfOption, EngineOption, MasterOption, parse_engine
from cli.progress import bars
from cli.terminal import terminal
from core.errors import InputError
from events.url_path import UrlPath, disk_path, log_path

if TYPE_CHECKING:
    from events.compaction import MakeParts
    from events.retention import OldFile


def register(app: typer.Typer) -> None:
    """Add the commands."""
    logs = typer.Typer(help="Event logs: collect, compact, show.", no_args_is_help=True)
    logs.command("collect")(collect)
    logs.command("compact")(compact)
    logs.command("show")(show)
    app.add_typer(logs, name="logs")


Logs = Annotated[
    list[Path],
    typer.Argument(parser=log_path, help="Event files, or folders of them, or their URLs."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]


def collect(
    origins: Annotated[
        list[str],
        typer.Option(
            "--from",
            help="A folder, a file, a URL that fsspec knows (s3://, hdfs://, gs://, ssh://), or "
            "`docker://CONTAINER[/path]`; repeatable.",
        ),
    ],
    to: Annotated[
        Path,
        typer.Option(
            parser=disk_path, metavar="PATH", help="Folder to collect in; made if missing."
        ),
    ],
    thorough: Annotated[
        bool,
        typer.Option(
            "--thorough", help="Compare whole copies with their origin, not only both ends."
        ),
    ] = False,
    json: JsonOption = False,
) -> None:
    """Copy the event files of several servers into one folder; run it again to get new events.

    Each origin has its own folder, so the files of one server never replace those of a second. The
    servers may be running. Lines are counted at the origin and again in the copy.
    """
    from events.collection import collect as collect_logs

    with bars() as progress:
        done = collect_logs(origins, to, thorough=thorough, progress=progress)
    if json:
        _print_json([{**_plain(each), "folder": str(each.folder)} for each in done])
        return
    shown = Table(title=f"Collected in {to}", title_justify="left")
    for name in ("origin", "folder"):
        shown.add_column(name, overflow="fold")
    for name in ("new", "grown", "same", "beside", "lines", "MB fetched"):
        shown.add_column(name, justify="right")
    for each in done:
        counts = (each.new, each.grown, each.same, each.beside, each.lines)
        shown.add_row(
            each.url,
            each.folder.name,
            *(f"{count:,}" for count in counts),
            f"{each.bytes / 1e6:,.1f}",
        )
    out = terminal()
    out.print(shown)
    if any(each.beside for each in done):
        out.print(
            "beside: the file does not continue the copy, so it was kept as NAME~2 beside it."
        )


def compact(
    logs: Logs,
    to: Annotated[
        Path,
        typer.Option(
            parser=log_path,
            metavar="PATH",
            help="Folder for the Parquet, or its URL; made if missing.",
        ),
    ],
    keep_days: Annotated[
        float | None,
        typer.Option(
            min=0,
            help="Say which event files are older, and could be removed.",
            show_default="events.keep_days of --config",
        ),
    ] = None,
    config: Annotated[
        Path | None, typer.Option(help="A config file, for its `events.keep_days`.")
    ] = None,
    remove: Annotated[
        bool,
        typer.Option(
            "--remove", help="Remove those of them whose events Parquet was found to hold."
        ),
    ] = False,
    memory: Annotated[int, typer.Option(min=100, help="MB of memory for tables.")] = 1000,
    engine: EngineOption = "duckdb",
    master: MasterOption = None,
    conf: ConfOption = None,
    json: JsonOption = False,
) -> None:
    """Turn JSON lines into Parquet, in folders by day and experiment.

    The JSON lines stay, unless --remove says otherwise. A second run only compacts files that have
    changed. Every line is in the Parquet, or counted as dropped.
    """
    from events.compaction import compact as compact_logs
    from events.retention import DAY_S, remove_old

    days = _days_to_keep(keep_days, config, remove)
    if days is not None:
        _check_on_disk(*logs, to)
    make_parts: MakeParts | None = None
    if (spark := parse_engine(engine, master, conf)) is not None:
        from events.spark_compaction import SparkCompaction

        make_parts = SparkCompaction(spark, memory)
    with bars() as progress:
        done = compact_logs(logs, to, memory_mb=memory, progress=progress, make_parts=make_parts)
    old = []
    if days is not None:
        since_s = time.time() - days * DAY_S
        old = remove_old(logs, to, done.parts, since_s, remove=remove, memory_mb=memory)
    if json:
        said = {str(each.path.resolve()): _outcome(each, remove) for each in old}
        _print_json(
            {name: {**_plain(part), "old": said.get(name)} for name, part in done.parts.items()}
        )
        return
    parts = done.parts.values()
    dropped: dict[str, int] = {}
    for part in parts:
        for reason, count in part.dropped.items():
            dropped[reason] = dropped.get(reason, 0) + count
    shown = Table(title=f"Parquet in {to}", title_justify="left")
    shown.add_column("what")
    shown.add_column("count", justify="right")
    rows = {
        "event files": len(parts),
        "of them compacted now": done.written,
        "lines": sum(part.lines for part in parts),
        "events": sum(part.events for part in parts),
        **{f"dropped: {reason}": count for reason, count in sorted(dropped.items())},
        "Parquet files": sum(len(part.files) for part in parts),
    }
    for what, count in rows.items():
        shown.add_row(what, f"{count:,}")
    terminal().print(shown)
    if days is not None:
        _show_old(old, days, remove)


def _days_to_keep(given: float | None, config: Path | None, remove: bool) -> float | None:
    """Read how long event files are kept.

    Raises:
        InputError: Files shall be removed, and nothing says how long they are kept.
    """
    days = given
    if days is None and config is not None:
        from engine.settings.loading import load_settings

        days = load_settings(config).events.keep_days
    if days is None and remove:
        raise InputError.one(
            "--remove",
            "must be told the age of the files to remove. Give --keep-days, or --config with a "
            "config that has `events.keep_days`",
        )
    return days


def _check_on_disk(*paths: Path) -> None:
    """Refuse to say which objects of a store are old: it has rules of its own for that.

    Raises:
        InputError: A path is a URL.
    """
    for path in paths:
        if isinstance(path, UrlPath):
            raise InputError.one(
                str(path),
                "must be on this machine for --keep-days, --remove and `events.keep_days`, got a "
                "URL. Leave them out, and let the store's lifecycle rules remove old objects",
            )


def _show_old(old: "list[OldFile]", days: float, removed: bool) -> None:
    """Show what was removed, or would be, and why the rest stays."""
    gone = [each for each in old if not each.kept]
    megabytes = sum(each.size for each in gone) / 1e6
    out = terminal()
    out.print(
        f"{len(old):,} event files are older than {days:g} days. Parquet holds {len(gone):,} of "
        f"them to the last value, {megabytes:,.1f} MB."
    )
    for each in old:
        out.print(f"  {each.path}: {_outcome(each, removed)}", soft_wrap=True)


def _outcome(old: "OldFile", removed: bool) -> str:
    if old.kept:
        return f"kept: {old.kept}"
    return "removed" if removed else "would be removed by --remove"


def show(
    logs: Logs,
    gap: Annotated[
        float, typer.Option(min=0.001, help="Minutes of silence that end a session.")
    ] = 30.0,
    memory: Annotated[int, typer.Option(min=100, help="MB of memory for tables.")] = 1000,
    engine: EngineOption = "duckdb",
    master: MasterOption = None,
    conf: ConfOption = None,
    json: JsonOption = False,
) -> None:
    """Show a log: files, dropped lines, sessions, experiments and their arms, days."""
    from events.overview import overview
    from events.reader import open_log

    spark = parse_engine(engine, master, conf)
    with (
        bars() as progress,
        open_log(logs, gap_s=gap * 60, memory_mb=memory, progress=progress, spark=spark) as log,
    ):
        found = overview(log)
    if json:
        _print_json(found)
        return
    out = terminal()
    for title, rows in found.items():
        if not rows:
            continue
        shown = Table(title=title, title_justify="left", title_style="bold")
        for name, value in rows[0].items():
            right = isinstance(value, int | float)
            shown.add_column(name, justify="right" if right else "left", overflow="fold")
        for row in rows[:40]:
            shown.add_row(*(_cell(value) for value in row.values()))
        out.print(shown)
        if len(rows) > 40:
            out.print(f"  and {len(rows) - 40:,} more; --json shows all")


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.3f}"
    if isinstance(value, list):
        return "\n".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def _plain(value: Any) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(value)


def _print_json(value: Any) -> None:
    import orjson

    options = orjson.OPT_INDENT_2 | orjson.OPT_NON_STR_KEYS
    typer.echo(orjson.dumps(value, default=str, option=options).decode())
