"""`segue report`: from logs to verdicts, in the terminal, as a page and as JSON."""

import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from pydantic import BaseModel, Field, ValidationError
from rich.console import Console

from cli.progress import bars
from cli.time_window import Since, Until, window
from core.errors import Faults, InputError, unknown_name
from core.version import version

if TYPE_CHECKING:
    from analysis.checks.archived_configs import ArchivedConfigs
    from analysis.effects.report_options import ReportOptions
    from analysis.effects.results import Report
    from engine.settings.model import Settings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("report")(report)


def report(
    log: Annotated[list[Path], typer.Argument(help="Event files, or folders with all below them.")],
    config: Annotated[
        Path | None,
        typer.Option(help="For `planned:` and `report:`; `config.yaml` if it is there."),
    ] = None,
    experiment: Annotated[
        list[str] | None, typer.Option(help="Only this experiment; repeatable.")
    ] = None,
    control: Annotated[
        str | None, typer.Option(help="Arm to compare with; the first of config, or C.")
    ] = None,
    all_pairs: Annotated[
        bool, typer.Option("--all-pairs", help="Compare every arm with every other.")
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
        str | None, typer.Option(help="The metric of the verdict; mean session time if not said.")
    ] = None,
    planned: Annotated[
        int | None,
        typer.Option(
            min=2,
            help="Listeners of all arms that were planned before the start; goes before config. "
            "Until they came, intervals are always-valid.",
        ),
    ] = None,
    since: Since = None,
    until: Until = None,
    gap: Annotated[
        float, typer.Option(min=0.001, help="Minutes of silence that end a session.")
    ] = 30.0,
    catalog: Annotated[
        Path | None, typer.Option(help="Catalog, for artists; that of the log's config if there.")
    ] = None,
    botify_arms: Annotated[
        list[str] | None,
        typer.Option(
            help="Arms of a predecessor's experiment in its order: NAME=C,T1,T2; repeatable."
        ),
    ] = None,
    configs: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of kept configs, where it is not beside the logs; repeatable."),
    ] = None,
    tolerate: Annotated[
        list[str] | None,
        typer.Option(help="A gate whose failure you have looked into and accept; repeatable."),
    ] = None,
    even_if_invalid: Annotated[
        bool, typer.Option("--even-if-invalid", help="Show effects although a gate failed.")
    ] = False,
    html: Annotated[Path | None, typer.Option(help="Write a self-contained page here.")] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print everything as JSON instead of tables.")
    ] = False,
) -> None:
    """Say of each experiment in the logs who won, by how much, and how sure that is.

    First the gates of `segue verify`: if one fails, effects are withheld and the exit code is 1.
    """
    from analysis.checks.archived_configs import ArchivedConfigs
    from analysis.checks.suite import EXPERIMENT_CHECKS, LOG_CHECKS
    from analysis.effects.metrics import choose_metrics
    from analysis.effects.report_options import ReportOptions
    from events.config_snapshots import snapshots_beside

    faults = Faults()
    extra = _pairs(metric or (), "--metric", faults)
    order = _pairs(botify_arms or (), "--botify-arms", faults)
    for check in tolerate or ():
        if check not in (*LOG_CHECKS, *EXPERIMENT_CHECKS):
            known = [*LOG_CHECKS, *EXPERIMENT_CHECKS]
            faults.add("--tolerate", unknown_name("gate", check, known))
    faults.raise_if_any()
    settings = _settings(config)
    plans = _plans(settings)
    if settings is not None:
        extra = {**settings.report.metrics, **extra}
        primary = primary or settings.report.primary

    def options_of(name: str) -> ReportOptions:
        plan = plans.get(name, PlannedSizes())
        first, others = choose_metrics(extra, primary or plan.metric, faults, "metric")
        faults.raise_if_any()
        return ReportOptions(
            first,
            others,
            control,
            all_pairs,
            tuple(segment or ()),
            even_if_invalid,
            planned=planned or plan.listeners,
            planned_by="--planned" if planned else "config" if plan.listeners else "",
            planned_metric=plan.metric or "",
            planned_alpha=plan.alpha,
        )

    options_of("")  # what is wrong with the metrics is better said before the log is read
    kept = snapshots_beside([path for path in log if path.exists()], configs or ())
    archived_configs = ArchivedConfigs.read(
        kept, {name: arms.split(",") for name, arms in order.items()}
    )
    reading = _Reading(log, gap, *window(since, until), catalog, experiment, tolerate or ())
    found = _made(reading, archived_configs, options_of)
    if html is not None:
        from analysis.rendering.page import page

        html.write_text(page(found), encoding="utf-8")
    if as_json:
        from analysis.rendering.json_report import to_json

        sys.stdout.write(to_json(found))
    else:
        from analysis.rendering.terminal import show

        show(found, Console())
        if html is not None:
            Console().print(f"Wrote {html}", highlight=False, soft_wrap=True)
    if not found.valid and not even_if_invalid:
        raise typer.Exit(1)


@dataclass(frozen=True, slots=True)
class _Reading:
    """What is read, and how."""

    logs: list[Path]
    gap_minutes: float
    since_ms: int | None
    until_ms: int | None
    catalog: Path | None
    experiments: list[str] | None
    tolerated: Sequence[str]


def _made(
    reading: _Reading,
    archived_configs: "ArchivedConfigs",
    options_of: "Callable[[str], ReportOptions]",
) -> "Report":
    """Read, check, decide."""
    from analysis.checks.suite import run_all_checks
    from analysis.report import find_main_config, provenance_of
    from analysis.report import report as make
    from core.catalog import load_catalog
    from events.reader import open_log

    tracks = reading.catalog or _catalog_of(archived_configs)
    catalog = load_catalog(tracks) if tracks is not None else None
    gap_s = 60 * reading.gap_minutes
    with (
        bars() as progress,
        open_log(
            reading.logs,
            gap_s=gap_s,
            since_ms=reading.since_ms,
            until_ms=reading.until_ms,
            catalog=catalog,
            progress=progress,
        ) as log,
    ):
        there = list(log.experiments())
        if not there:
            where = str(reading.logs[0])
            raise InputError.one(where, "no event of the log is in an experiment")
        for name in reading.experiments or ():
            if name not in there:
                raise InputError.one("--experiment", unknown_name("experiment", name, there))
        validity_reports = run_all_checks(
            log,
            archived_configs,
            reading.experiments or there,
            tolerated=reading.tolerated,
            progress=progress,
        )
        progress.start("deciding")
        command = shlex.join(["segue", *sys.argv[1:]])
        return make(
            log,
            validity_reports,
            lambda name: archived_configs.experiment(name, find_main_config(log, name)),
            options_of,
            provenance_of(log, version(), command),
        )


def _settings(config: Path | None) -> "Settings | None":
    from engine.settings.loading import load_settings

    if config is not None:
        return load_settings(config)
    default = Path("config.yaml")
    return load_settings(default) if default.exists() else None


class PlannedSizes(BaseModel):
    """What `segue design` wrote into config: the keys that matter here."""

    listeners: int | None = Field(None, ge=2)
    metric: str | None = None
    alpha: float = Field(0.05, gt=0, lt=1)


def _plans(settings: "Settings | None") -> dict[str, PlannedSizes]:
    """What was planned by config, by experiment."""
    faults, found = Faults(), {}
    for name, plan in (settings.planned if settings else {}).items():
        try:
            found[name] = PlannedSizes.model_validate(plan)
        except ValidationError as error:
            for problem in error.errors():
                key = ".".join(map(str, problem["loc"]))
                where = f"{settings.path if settings else ''}: experiments.{name}.planned.{key}"
                faults.add(where, f"{problem['msg'].lower()}, got {problem['input']!r}")
    faults.raise_if_any()
    return found


def _catalog_of(archived_configs: "ArchivedConfigs") -> Path | None:
    """The catalog that the log's config named, if it is still there."""
    for archived in archived_configs.by_digest.values():
        path = Path(archived.described["paths"]["tracks"])
        if path.exists():
            return path
    return None


def _pairs(given: Any, option: str, faults: Faults) -> dict[str, Any]:
    found = {}
    for each in given:
        name, equals, value = each.partition("=")
        if not equals or not name.strip() or not value.strip():
            faults.add(option, f"must be NAME=VALUE, got {each!r}")
        found[name.strip()] = value.strip()
    return found
