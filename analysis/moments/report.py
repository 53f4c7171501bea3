"""The report and the checks over moments: of days that were kept, and of a log added to them."""

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from analysis.checks.result import ValidityReport
from analysis.checks.suite import MoreChecks
from analysis.effects.results import Report
from analysis.moments.gathering import ReadConfigs, gather
from analysis.moments.moments import Moments
from analysis.moments.reading import open_moments
from analysis.moments.validity import validity_of
from analysis.report import (
    LogSelection,
    ReportRequest,
    analyse_experiments,
    provenance_of,
    select_experiments,
)
from core.progress import SILENT, Progress


def report_of_moments(
    selection: LogSelection,
    request: ReportRequest,
    folders: Sequence[Path],
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
        folders: Folders of moments; see `gather`.
        read_configs: Reads the configs that decided.
        version: Of Segue, for the report's provenance.
        command: The command line, for the report's provenance.
        progress: Gets the progress.
        more: Checks of the caller's own.

    Raises:
        InputError: The request, the log or the moments are faulty, or they do not fit together.
    """
    for name in selection.experiments or [""]:
        request.options_for(name)
    moments = gather(selection, folders, read_configs, progress, more)
    places = [*selection.logs, *folders]
    archived_configs, _ = read_configs(places)
    with open_moments(moments, spark=selection.spark) as log:
        names = _choose(selection, folders, moments.experiments)
        reports = validity_of(log, moments, archived_configs, names, selection.tolerated)
        progress.start("analysing")
        validity = dict(zip(names, reports, strict=True))
        results = analyse_experiments(log, validity, places, request, archived_configs)
        return Report(provenance_of(log, version, command), results)


def verify_moments(
    selection: LogSelection,
    folders: Sequence[Path],
    read_configs: ReadConfigs,
    progress: Progress = SILENT,
    more: MoreChecks | None = None,
    listeners: Collection[str] | None = None,
) -> list[ValidityReport]:
    """Check moments; with a log, add the log to them first.

    A report over the same moments withholds the effects of an experiment if a check fails here.

    Args:
        selection: What is read; without logs, only the moments are. A log gets the gap of the parts
            that are there.
        folders: Folders of moments; see `gather`.
        read_configs: Reads the configs that decided.
        progress: Gets the progress.
        more: Checks of the caller's own.
        listeners: All listeners that exist, if they are known.

    Raises:
        InputError: The log or the moments are faulty, or they do not fit together.
    """
    if selection.logs and folders[0].is_dir() and any(folders[0].iterdir()):
        selection = replace(selection, gap_s=Moments.read(folders[0]).parts[0].gap_s)
    moments = gather(selection, folders, read_configs, progress, more)
    archived_configs, _ = read_configs([*selection.logs, *folders])
    names = moments.experiments
    if names or selection.experiments:
        names = _choose(selection, folders, names)
    progress.start("checking")
    with open_moments(moments, spark=selection.spark) as log:
        return validity_of(log, moments, archived_configs, names, selection.tolerated, listeners)


def _choose(selection: LogSelection, folders: Sequence[Path], known: Sequence[str]) -> list[str]:
    """Choose the experiments that were asked for; see `select_experiments`."""
    places = selection.logs or folders
    return select_experiments(LogSelection(places, experiments=selection.experiments), known)
