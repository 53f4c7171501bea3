"""The report over moments: of days that were kept, and of a new log that is added to them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.suite import MoreChecks, run_all_checks
from analysis.effects.results import Report
from analysis.moments.moments import Moments
from analysis.moments.reading import open_moments
from analysis.moments.validity import validity_of
from analysis.moments.writing import describe_part, write_part
from analysis.report import (
    LogSelection,
    ReportRequest,
    analyse_experiments,
    provenance_of,
    select_experiments,
)
from core.catalog import load_catalog
from core.errors import InputError
from core.progress import SILENT, Progress
from events.reader import open_log

ReadConfigs = Callable[[Sequence[Path]], tuple[ArchivedConfigs, Mapping[str, Path]]]
"""Reads the configs beside logs and moments; also returns digest -> snapshot."""


def report_of_moments(
    selection: LogSelection,
    request: ReportRequest,
    moments: Sequence[Path],
    read_configs: ReadConfigs,
    version: str,
    command: str,
    progress: Progress = SILENT,
    more: MoreChecks | None = None,
) -> Report:
    """Report over moments; with a log, add the log to them first.

    Args:
        selection: What is read; without logs, only the moments are.
        request: What the reader wants to know.
        moments: Folders of moments; with a log exactly one, which is made if it is not there.
        read_configs: Reads the configs that decided.
        version: Of Segue, for the report's provenance.
        command: The command line, for the report's provenance.
        progress: Gets the progress.
        more: Checks of the caller's own.

    Raises:
        InputError: The request, the log or the moments are faulty, or they do not fit together.
    """
    if selection.since_ms is not None or selection.until_ms is not None:
        raise InputError.one(
            "--moments",
            "must be of whole files, got a time window too. Leave out --since and --until",
        )
    for name in selection.experiments or [""]:
        request.options_for(name)
    if not selection.logs:
        together = sum((Moments.read(path) for path in moments), Moments())
    elif len(moments) == 1:
        together = _add(selection, moments[0], read_configs, progress, more)
    else:
        raise InputError.one(
            "--moments",
            f"must be one folder beside a LOG, the one to which the log is added; got "
            f"{len(moments)}. Name one, or leave out LOG",
        )
    archived_configs, _ = read_configs([*selection.logs, *moments])
    with open_moments(together) as log:
        known = sorted({name for part in together.parts for name in part.validity if name})
        names = select_experiments(
            selection
            if selection.logs
            else LogSelection(moments, experiments=selection.experiments),
            known,
        )
        validity = validity_of(log, together, archived_configs, names, selection.tolerated)
        progress.start("analysing")
        results = analyse_experiments(
            log, validity, [*selection.logs, *moments], request, archived_configs
        )
        return Report(provenance_of(log, version, command), results)


def _add(
    selection: LogSelection,
    to: Path,
    read_configs: ReadConfigs,
    progress: Progress,
    more: MoreChecks | None,
) -> Moments:
    """Read a log, check it, and keep its part; nothing is kept if it does not fit."""
    if to.exists() and not to.is_dir():
        raise InputError.one(str(to), "must be a folder, or not be there yet; is a file")
    known = Moments.read(to) if to.exists() and any(to.iterdir()) else Moments()
    archived_configs, snapshots = read_configs(selection.logs)
    path = selection.catalog or archived_configs.find_catalog()
    with open_log(
        selection.logs,
        gap_s=selection.gap_s,
        catalog=load_catalog(path) if path is not None else None,
        progress=progress,
        spark=selection.spark,
    ) as log:
        reports = run_all_checks(log, archived_configs, progress=progress, more=more)
        part = describe_part(log, {report.experiment or "": report for report in reports})
        known + Moments((part,))
        progress.start("keeping")
        return known + Moments((write_part(log, part, snapshots.values(), selection.logs, to),))
