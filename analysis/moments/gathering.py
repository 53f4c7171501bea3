"""Gathers moments: the parts that are kept, and a new log that is added to them."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from analysis.checks.archived_configs import ArchivedConfigs
from analysis.checks.suite import LOG_CHECKS, MoreChecks, run_all_checks
from analysis.moments.moments import Moments
from analysis.moments.writing import describe_part, write_part
from analysis.report import LogSelection
from core.catalog import load_catalog
from core.errors import InputError
from core.progress import SILENT, Progress
from events.reader import open_log
from events.url_path import UrlPath

ReadConfigs = Callable[[Sequence[Path]], tuple[ArchivedConfigs, Mapping[str, Path]]]
"""Reads the configs beside logs and moments; also returns digest -> snapshot."""


def gather(
    selection: LogSelection,
    folders: Sequence[Path],
    read_configs: ReadConfigs,
    progress: Progress = SILENT,
    more: MoreChecks | None = None,
) -> Moments:
    """Read moments; with a log, check it and add it to them first.

    Args:
        selection: The log to add; without logs, nothing is added.
        folders: Folders of moments; with a log exactly one, which is made if it is not there.
        read_configs: Reads the configs that decided.
        progress: Gets the progress.
        more: Checks of the caller's own.

    Raises:
        InputError: The log or the moments are faulty, or they do not fit together.
    """
    if selection.since_ms is not None or selection.until_ms is not None:
        raise InputError.one(
            "--moments",
            "must be of whole files, got a time window too. Leave out --since and --until",
        )
    if not selection.logs:
        return sum((Moments.read(path) for path in folders), Moments())
    if len(folders) > 1:
        raise InputError.one(
            "--moments",
            f"must be one folder beside a LOG, the one to which the log is added; got "
            f"{len(folders)}. Name one, or leave out LOG",
        )
    return _add(selection, folders[0], read_configs, progress, more or MoreChecks())


def _add(
    selection: LogSelection,
    to: Path,
    read_configs: ReadConfigs,
    progress: Progress,
    more: MoreChecks,
) -> Moments:
    """Read a log, check it, and keep its part; nothing is kept if it does not fit."""
    on_disk = [path.resolve() for path in selection.logs if not isinstance(path, UrlPath)]
    if {to.resolve(), *to.resolve().parents} & {*on_disk}:
        raise InputError.one(
            str(to),
            "must not be inside of a LOG, whose next reader would take its files for events. Name "
            "a folder beside it",
        )
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
        part = describe_part(log, reports, len(LOG_CHECKS) + len(more.of_log))
        known + Moments((part,))
        progress.start("keeping")
        return known + Moments((write_part(log, part, snapshots.values(), selection.logs, to),))
