"""`segue verify`: whether a log can be believed, before anybody reads an effect off it."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from cli.progress import bars
from cli.time_window import Since, Until, window
from core.errors import Faults, InputError, unknown_name

if TYPE_CHECKING:
    from analysis.checks.result import ValidityReport


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify")(verify)


def verify(
    logs: Annotated[
        list[Path], typer.Argument(help="Event files or folders, ours or the predecessor's.")
    ],
    configs: Annotated[
        list[Path] | None,
        typer.Option(help="Folder of kept configs, where it is not beside the logs; repeatable."),
    ] = None,
    experiment: Annotated[
        list[str] | None, typer.Option(help="Only this experiment; repeatable.")
    ] = None,
    botify_arms: Annotated[
        list[str] | None,
        typer.Option(
            help="Arms of an experiment of the predecessor, in the order of its numbers: "
            "`STICKY_ARTIST=C,T1,T2,T3`; repeatable. Found out by itself where arms are so named."
        ),
    ] = None,
    listeners: Annotated[
        Path | None,
        typer.Option(
            help="All listeners that there are, JSON lines with `user`: arms are then held "
            "against the hash's own counts."
        ),
    ] = None,
    since: Since = None,
    until: Until = None,
    tolerate: Annotated[
        list[str] | None,
        typer.Option(help="A gate whose failure you have looked into and accept; repeatable."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Check a log by all gates. Ends with 1 if a gate fails, with 2 if the input is faulty."""
    from analysis.checks.archived_configs import ArchivedConfigs
    from analysis.checks.suite import EXPERIMENT_CHECKS, LOG_CHECKS, run_all_checks
    from events.config_snapshots import snapshots_beside
    from events.reader import open_log

    known = [*LOG_CHECKS, *EXPERIMENT_CHECKS, "population"]
    faults = Faults()
    for name in tolerate or ():
        if name not in known:
            faults.add("--tolerate", unknown_name("gate", name, known))
    arms = _botify_arms(botify_arms or (), faults)
    faults.raise_if_any()
    since_ms, until_ms = window(since, until)
    everybody = _listeners(listeners) if listeners else None
    with (
        bars() as progress,
        open_log(logs, since_ms=since_ms, until_ms=until_ms, progress=progress) as log,
    ):
        kept = snapshots_beside(logs, configs or ())
        archived_configs = ArchivedConfigs.read(kept, arms)
        running = list(log.experiments())
        for name in experiment or ():
            if name not in running:
                raise InputError.one("--experiment", unknown_name("experiment", name, running))
        validity_reports = run_all_checks(
            log, archived_configs, experiment, None, tolerate or (), everybody, progress
        )
    if as_json:
        print(json.dumps([each.to_dict() for each in validity_reports], indent=2))  # noqa: T201
    else:
        _show(validity_reports, len(LOG_CHECKS))
    if not all(validity.valid for validity in validity_reports):
        raise typer.Exit(1)


def _show(validity_reports: "list[ValidityReport]", log_checks: int) -> None:
    from cli.check_tables import show_checks

    out = Console()
    show_checks("The log", validity_reports[0].checks[:log_checks], out)
    for validity in validity_reports:
        if validity.experiment is not None:
            out.print()
            own = validity.checks[log_checks:]
            show_checks(f"Experiment {validity.experiment}", own, out)
    out.print()
    for validity in validity_reports:
        name = validity.experiment or "The log"
        failed = ", ".join(check.name for check in validity.failed)
        if failed:
            out.print(f"[red]{name} is not valid[/red]: {failed}.", highlight=False)
        else:
            out.print(f"[green]{name} is valid[/green]: no gate failed.", highlight=False)


def _botify_arms(given: Iterable[str], faults: Faults) -> dict[str, list[str]]:
    found = {}
    for pair in given:
        name, equals, arms = pair.partition("=")
        listed = [arm for arm in arms.split(",") if arm]
        if not equals or len(listed) < 2:
            faults.add("--botify-arms", f"must be NAME=ARM,ARM,... with two arms, got {pair!r}")
        found[name] = listed
    return found


def _listeners(path: Path) -> list[str]:
    from core.jsonl import read_records

    faults = Faults()
    found = []
    for line, record in read_records(path, faults):
        user = record.get("user")
        if isinstance(user, int | str) and not isinstance(user, bool):
            found.append(str(user))
        else:
            faults.add(f"{path}:{line}", f"must have a `user`, a number or a string, got {user!r}")
    faults.raise_if_any()
    return found
