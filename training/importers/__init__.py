"""Importers: turn public data sets in their own formats into a catalog and a training table.

One file per format. Each has `ABOUT`, a line for the help, and `read(path, into, options)`, which
streams the files at `path` into a `Collector`.
"""

from pathlib import Path
from types import ModuleType

from core.errors import InputError, unknown_name
from training.importers import (
    lastfm1k,
    lastfm360k,
    listenbrainz,
    mpd,
    table,
    taste_profile,
    yambda,
)
from training.importers.collector import Collector, ImportOptions, write_import
from training.interactions import Interactions

FORMATS: dict[str, ModuleType] = {
    "lastfm1k": lastfm1k,
    "lastfm360k": lastfm360k,
    "listenbrainz": listenbrainz,
    "mpd": mpd,
    "table": table,
    "taste_profile": taste_profile,
    "yambda": yambda,
}


def import_data(
    kind: str, path: Path, to: Path, options: ImportOptions
) -> tuple[Interactions, Collector]:
    """Import a public data set into a folder: catalog, popularity list and training table.

    Args:
        kind: A key of `FORMATS`.
        path: The file, or a folder of its files.
        to: Folder to write to; made if missing.
        options: What to keep, and how to read it.

    Returns:
        The training table, and the collector with its counts of lines.

    Raises:
        InputError: The format is unknown, or the files are not of this format.
    """
    if kind not in FORMATS:
        raise InputError.one("KIND", unknown_name("format", kind, FORMATS))
    collector = Collector(kind)
    table = FORMATS[kind].read(path, collector, options)
    options.progress.start("writing")
    write_import(to, table, collector)
    return table, collector
