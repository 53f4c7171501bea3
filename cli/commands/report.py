"""`segue report`: from logs to verdicts, in the terminal, as a page and as JSON."""

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.check_options import (
    BotifyArms,
    Configs,
    Replay,
    Tolerate,
    check_tolerated,
    parse_botify_arms,
)
from cli.engine_options import ConfOption, EngineOption, MasterOption, parse_engine
from cli.progress import bars
from cli.terminal import terminal
from cli.time_window import Since, Until, window
from core.errors import Faults
from events.url_path import disk_path, log_path

if TYPE_CHECKING:
    from analysis.effects.results import Report


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(
    log: Annotated[
        list[Path] | None,
        typer.Argument(
            parser=log_path,
            help="Event files, or folders with files below, or their URLs. Needed unless --moments "
            "is given.",
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option(help="Config with `planned:` and `report:`; `config.yaml` if it exists."),
    ] = None,
    experiment: Annotated[
        list[str] | None, typer.Option(help="Report only this experiment; repeatable.")
    ] = None,
    control: Annotated[
        str | None, typer.Option(help="Arm to compare with; by default the first of config, or C.")
    ] = None,
    all_pairs: Annotated[
        bool, typer.Option("--all-pairs", help="Compare every arm with every other arm.")
    ] = False,
    segment: Annotated[
        list[str] | None,
        typer.Option(
            help="Divide listeners by `listener` (new or returning), `day`, or an attribute of "
            "their first request; repeatable."
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="A further metric, NAME=SQL over the listener table; repeatable."),
    ] = None,
    primary: Annotated[
        str | None, typer.Option(help="The metric of the verdict; by default mean session time.")
    ] = None,
    planned: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Planned listeners of all arms, instead of those of the sealed plan or config. "
            "Intervals are always-valid until so many listeners came.",
        ),
    ] = None,
    moments: Annotated[
        list[Path] | None,
        typer.Option(
            parser=disk_path,
            metavar="PATH",
            help="Folder of what a report needs of past days. With LOG, LOG is added to it, and "
            "the report is over both; without, repeatable, the report is over all of them.",
        ),
    ] = None,
    since: Since = None,
    until: Until = None,
    gap: Annotated[
        float, typer.Option(min=0.001, help="Minutes of silence that end a session.")
    ] = 30.0,
    catalog: Annotated[
        Path | None,
        typer.Option(help="Catalog, for artists; by default that of the log's config."),
    ] = None,
    botify_arms: BotifyArms = None,
    configs: Configs = None,
    replay: Replay = None,
    tolerate: Tolerate = None,
    even_if_invalid: Annotated[
        bool, typer.Option("--even-if-invalid", help="Show effects although a check failed.")
    ] = False,
    engine: EngineOption = "duckdb",
    master: MasterOption = None,
    conf: ConfOption = None,
    html: Annotated[Path | None, typer.Option(help="Write a self-contained page here.")] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write the effects here, a row each, as CSV.")
    ] = None,
    markdown: Annotated[
        Path | None, typer.Option(help="Write verdicts and effects here, as Markdown.")
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything as JSON instead of tables.")
    ] = False,
) -> None:
    """Report the effect of each experiment in the logs: which arm wins, by how much, how surely.

    The checks of `segue verify` come first. If one fails, effects are withheld, and the exit code
    is 1.
    """
    from analysis.report import LogSelection, ReportRequest
    from audit.log_report import report_log, settings_of, with_settings

    faults = Faults()
    metrics = _parse_metrics(metric or (), faults)
    order = parse_botify_arms(botify_arms or (), faults)
    check_tolerated(tolerate or (), faults)
    if not log and not moments:
        faults.add("LOG", "name at least one event file or folder, or --moments FOLDER")
    faults.raise_if_any()
    since_ms, until_ms = window(since, until)
    selection = LogSelection(
        log or (), 60 * gap, since_ms, until_ms, catalog, experiment or (), tolerate or (),
        parse_engine(engine, master, conf),
    )  # fmt: skip
    request = with_settings(
        ReportRequest(
            metrics, primary, control, all_pairs, tuple(segment or ()), even_if_invalid, planned
        ),
        settings_of(config),
    )
    command = shlex.join(["segue", *sys.argv[1:]])
    with bars() as progress:
        found = report_log(
            selection, request, command, configs or (), order, replay, progress, moments or ()
        )
    written = _write(found, html, csv, markdown)
    _show(found, written, as_json)
    if not found.valid and not even_if_invalid:
        raise typer.Exit(1)


def _write(
    found: "Report", html: Path | None, csv: Path | None, markdown: Path | None
) -> list[Path]:
    """Write the files that were asked for; returns their paths."""
    from analysis.rendering.effects_table import to_csv, to_markdown

    if html is not None:
        from analysis.rendering.page import page

        html.write_text(page(found), encoding="utf-8")
    if csv is not None:
        csv.write_text(to_csv(found), encoding="utf-8")
    if markdown is not None:
        markdown.write_text(to_markdown(found), encoding="utf-8")
    return [path for path in (html, csv, markdown) if path is not None]


def _show(found: "Report", written: list[Path], as_json: bool) -> None:
    if as_json:
        from analysis.rendering.json_report import to_json

        sys.stdout.write(to_json(found))
        return
    from analysis.rendering.terminal import show

    show(found, terminal())
    for path in written:
        terminal().print(f"Wrote {path}", soft_wrap=True)


def _parse_metrics(given: Iterable[str], faults: Faults) -> dict[str, str | dict[str, str]]:
    found: dict[str, str | dict[str, str]] = {}
    for text in given:
        name, equals, expression = text.partition("=")
        if not equals or not name.strip() or not expression.strip():
            faults.add("--metric", f"must be NAME=VALUE, got {text!r}")
        found[name.strip()] = expression.strip()
    return found
