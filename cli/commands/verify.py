"""`segue verify`: check whether a log can be believed, before anybody reads an effect from it."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.text import Text

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
from core.errors import Faults, InputError, unknown_name
from events.url_path import log_path

if TYPE_CHECKING:
    from analysis.checks.result import ValidityReport
    from analysis.report import LogSelection
    from core.progress import Progress
    from events.reader import EventLog


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("verify")(verify)


def verify(
    logs: Annotated[
        list[Path] | None,
        typer.Argument(
            parser=log_path,
            help="Event files or folders, or their URLs; ours or botify's. Needed unless --moments "
            "is given.",
        ),
    ] = None,
    configs: Configs = None,
    experiment: Annotated[
        list[str] | None, typer.Option(help="Check only this experiment; repeatable.")
    ] = None,
    botify_arms: BotifyArms = None,
    listeners: Annotated[
        Path | None,
        typer.Option(
            help="All listeners that exist, JSON lines with `user`. The arms are then compared "
            "with the hash's own counts."
        ),
    ] = None,
    canary: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ARM=TRACK",
            help="An arm that always plays one track: `T1=1000`; repeatable. Every recommendation "
            "to its listeners must then be that track.",
        ),
    ] = None,
    moments: Annotated[
        list[Path] | None,
        typer.Option(
            help="Folder of what a report needs of past days. With LOGS, they are added to it, and "
            "the checks are over both; without, repeatable, they are over all of them."
        ),
    ] = None,
    since: Since = None,
    until: Until = None,
    replay: Replay = None,
    tolerate: Tolerate = None,
    engine: EngineOption = "duckdb",
    master: MasterOption = None,
    conf: ConfOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Run all checks on a log. Exit code 1 if a check fails, 2 if the input is faulty."""
    from analysis.checks.listener_ids import read_listener_ids
    from analysis.checks.suite import LOG_CHECKS
    from analysis.report import LogSelection

    faults = Faults()
    check_tolerated(tolerate or (), faults)
    order = parse_botify_arms(botify_arms or (), faults)
    constant = _parse_canaries(canary or (), faults)
    if not logs and not moments:
        faults.add("LOGS", "name at least one event file or folder, or --moments FOLDER")
    if moments and constant:
        faults.add(
            "--canary",
            "must be of a log, got --moments too: a part keeps no single answer. Leave out one",
        )
    faults.raise_if_any()
    since_ms, until_ms = window(since, until)
    selection = LogSelection(
        logs or (), since_ms=since_ms, until_ms=until_ms, experiments=experiment or (),
        tolerated=tolerate or (), spark=parse_engine(engine, master, conf),
    )  # fmt: skip
    population = read_listener_ids(listeners) if listeners else None
    with bars() as progress:
        if moments:
            from audit.log_report import check_moments

            validity_reports = check_moments(
                selection, moments, configs or (), order, replay, progress, population
            )
        else:
            validity_reports = _check_log(
                selection, configs or (), order, replay, progress, population, constant
            )
    if as_json:
        print(json.dumps([each.to_dict() for each in validity_reports], indent=2))  # noqa: T201
    else:
        _show(validity_reports, len(LOG_CHECKS) + 1)  # the replay is a check of the log too
    if not all(validity.valid for validity in validity_reports):
        raise typer.Exit(1)


def _check_log(
    selection: "LogSelection",
    configs: Sequence[Path],
    botify_arms: Mapping[str, Iterable[str]],
    replay: bool | None,
    progress: "Progress",
    population: Collection[str] | None,
    constant: Mapping[str, str],
) -> "list[ValidityReport]":
    """Read a log and run all checks, those of constant arms included."""
    from analysis.checks.archived_configs import ArchivedConfigs
    from analysis.checks.constant_arm import constant_arm_check
    from analysis.checks.suite import MoreChecks, find_experiments, run_all_checks
    from audit.replay_check import ReplayFiles, replay_check
    from events.config_snapshots import snapshots_beside
    from events.reader import open_log

    logs, spark = selection.logs, selection.spark
    with open_log(
        logs, since_ms=selection.since_ms, until_ms=selection.until_ms, progress=progress,
        spark=spark,
    ) as log:  # fmt: skip
        archived_configs = ArchivedConfigs.read(snapshots_beside(logs, configs), botify_arms)
        known = find_experiments(log)
        for name in selection.experiments:
            if name not in known:
                raise InputError.one("--experiment", unknown_name("experiment", name, known))
        _check_arms(constant, log, selection.experiments or known)
        more = MoreChecks(
            (replay_check(ReplayFiles(logs, configs, spark=spark), replay, progress),),
            (constant_arm_check(constant),) if constant else (),
        )
        return run_all_checks(
            log, archived_configs, selection.experiments or None, None, selection.tolerated,
            population, progress, more,
        )  # fmt: skip


def _parse_canaries(given: Iterable[str], faults: Faults) -> dict[str, str]:
    """Arm -> id of its track; adds a fault for each text that is none."""
    found = {}
    for text in given:
        arm, equals, track = (part.strip() for part in text.partition("="))
        if not equals or not arm or not track:
            faults.add("--canary", f"must be ARM=TRACK, as in T1=1000, got {text!r}")
        found[arm] = track
    return found


def _check_arms(constant: Iterable[str], log: "EventLog", experiments: Iterable[str]) -> None:
    """Refuse a constant arm that no checked experiment has.

    Raises:
        InputError: An arm is unknown.
    """
    arms_of = log.experiments()
    arms = {arm for name in experiments for arm in arms_of[name]}
    for arm in constant:
        if arm not in arms:
            raise InputError.one("--canary", unknown_name("arm", arm, arms))


def _show(validity_reports: "list[ValidityReport]", log_checks: int) -> None:
    from cli.check_tables import show_checks

    out = terminal()
    show_checks("The log", validity_reports[0].checks[:log_checks], out)
    for validity in validity_reports:
        if validity.experiment is not None:
            out.print()
            show_checks(f"Experiment {validity.experiment}", validity.checks[log_checks:], out)
    out.print()
    for validity in validity_reports:
        name = validity.experiment or "The log"
        failed = ", ".join(check.name for check in validity.failed)
        if failed:
            out.print(Text.assemble((f"{name} is not valid", "red"), f": {failed}."))
        else:
            out.print(Text.assemble((f"{name} is valid", "green"), ": no check failed."))
