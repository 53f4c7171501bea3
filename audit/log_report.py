"""The report of a log by its configs: plan, metrics and margins of a config, and every check.

The command and the notebook make it here. `analysis` alone cannot: it knows no settings, and makes
no decision again.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.result import ValidityReport
from analysis.checks.suite import EXPERIMENT_CHECKS, LOG_CHECKS, MoreChecks
from analysis.effects.plans import read_plans
from analysis.effects.results import Report
from analysis.live_report import LiveReport
from analysis.moments.gathering import ReadConfigs
from analysis.moments.report import report_of_moments, verify_moments
from analysis.report import LogSelection, ReportRequest, make_report
from audit.replay_check import ReplayFiles, replay_check
from core.errors import Faults, unknown_name
from core.progress import SILENT, Progress
from core.version import version
from engine.settings.loading import load_settings
from engine.settings.model import Settings
from events.config_snapshots import snapshots_beside


def find_unknown_checks(names: Iterable[str], faults: Faults, where: str) -> None:
    """Add a fault for each name that is no check."""
    known = [*LOG_CHECKS, "replay", *EXPERIMENT_CHECKS, "population", "canary"]
    for name in names:
        if name not in known:
            faults.add(where, unknown_name("check", name, known))


def settings_of(config: Path | None) -> Settings | None:
    """Load the config of a report: the one that was named, or `config.yaml` if it exists.

    Raises:
        InputError: The config is faulty.
    """
    if config is not None:
        return load_settings(config)
    default = Path("config.yaml")
    return load_settings(default) if default.exists() else None


def with_settings(request: ReportRequest, settings: Settings | None) -> ReportRequest:
    """Add what a config says of its report: metrics, primary metric, margins, plans.

    Raises:
        InputError: A plan is faulty.
    """
    if settings is None:
        return request
    return replace(
        request,
        metrics={**settings.report.metrics, **request.metrics},
        primary=request.primary or settings.report.primary,
        guardrails={**settings.report.guardrails, **request.guardrails},
        plans=read_plans(settings.planned, str(settings.path)),
    )


def report_log(
    selection: LogSelection,
    request: ReportRequest,
    command: str,
    folders: Sequence[Path] = (),
    botify_arms: Mapping[str, Iterable[str]] | None = None,
    replay: bool | None = None,
    progress: Progress = SILENT,
    moments: Sequence[Path] = (),
) -> Report:
    """Check a log, replay it, and analyse its experiments.

    Args:
        selection: What is read.
        request: What the reader wants to know.
        command: How the report was asked for, for its provenance.
        folders: Folders of config snapshots that are not beside the logs.
        botify_arms: Experiment of botify -> its arms, in the order of its numbers.
        replay: Whether every decision is made again; None: if the log is small and its configs are
            at hand.
        progress: Gets the progress.
        moments: Folders of moments to report over; a log is added to the one that is named.

    Raises:
        InputError: The log, the request, a config or the name of a check is faulty.
    """
    faults = Faults()
    find_unknown_checks(selection.tolerated, faults, "tolerate")
    faults.raise_if_any()
    read_configs = _reader(folders, botify_arms)
    files = ReplayFiles(selection.logs, folders, spark=selection.spark)
    more = MoreChecks(of_log=(replay_check(files, replay, progress),))
    if moments:
        return report_of_moments(
            selection, request, moments, read_configs, version(), command, progress, more
        )
    archived_configs, _ = read_configs(selection.logs)
    return make_report(selection, request, archived_configs, version(), command, progress, more)


def check_moments(
    selection: LogSelection,
    moments: Sequence[Path],
    folders: Sequence[Path] = (),
    botify_arms: Mapping[str, Iterable[str]] | None = None,
    replay: bool | None = None,
    progress: Progress = SILENT,
    listeners: Collection[str] | None = None,
) -> list[ValidityReport]:
    """Check moments as `report_log` does before it shows an effect of them.

    Args:
        selection: What is read; without logs, only the moments are.
        moments: Folders of moments; a log is added to the one that is named.
        folders: As for `report_log`, and so are the next three.
        botify_arms: See above.
        replay: See above.
        progress: See above.
        listeners: All listeners that exist, if they are known.

    Raises:
        InputError: The log, the moments or a config is faulty.
    """
    files = ReplayFiles(selection.logs, folders, spark=selection.spark)
    more = MoreChecks(of_log=(replay_check(files, replay, progress),))
    read_configs = _reader(folders, botify_arms)
    return verify_moments(selection, moments, read_configs, progress, more, listeners)


def _reader(
    folders: Sequence[Path], botify_arms: Mapping[str, Iterable[str]] | None
) -> ReadConfigs:
    def read_configs(logs: Sequence[Path]) -> tuple[ArchivedConfigs, Mapping[str, Path]]:
        snapshots = snapshots_beside([path for path in logs if path.exists()], folders)
        return ArchivedConfigs.read(snapshots, botify_arms), snapshots

    return read_configs


def live_report(
    selection: LogSelection,
    request: ReportRequest,
    command: str,
    folders: Sequence[Path] = (),
    botify_arms: Mapping[str, Iterable[str]] | None = None,
    *,
    threads: int | None = None,
) -> LiveReport:
    """Open a log that grows, and answer with what `segue report --no-replay` says of it.

    Args:
        selection: What is read; no time window.
        request: What the reader wants to know; see `with_settings`.
        command: How the report was asked for, for its provenance.
        folders: Folders of config snapshots that are not beside the logs.
        botify_arms: Experiment of botify -> its arms, in the order of its numbers.
        threads: Threads of the queries; all cores by default.

    Raises:
        InputError: The selection or the request is faulty.
    """
    faults = Faults()
    find_unknown_checks(selection.tolerated, faults, "tolerate")
    faults.raise_if_any()

    def read_configs() -> ArchivedConfigs:
        there = [path for path in selection.logs if path.exists()]
        return ArchivedConfigs.read(snapshots_beside(there, folders), botify_arms)

    files = ReplayFiles(selection.logs, folders)
    more = MoreChecks(of_log=(replay_check(files, False),))
    return LiveReport(selection, request, read_configs, version(), command, more, threads=threads)
