"""Importers: turn public data sets in their own formats into a catalog and a training table.

One file per format. Each has `ABOUT`, a line for the help, and `read(path, into, options)`, which
streams the files at `path` into a `Collector`, and returns whether the times are times of listens.
"""

from pathlib import Path
from types import ModuleType

from core.errors import InputError, unknown_name
from training.importers import (
    lastfm1k,
    lastfm360k,
    listenbrainz,
    mpd,
    spotify_history,
    table,
    taste_profile,
    yambda,
)
from training.importers.collector import Collector
from training.importers.import_options import ImportOptions
from training.importers.import_summary import ImportSummary
from training.importers.import_writer import write_import

FORMATS: dict[str, ModuleType] = {
    "lastfm1k": lastfm1k,
    "lastfm360k": lastfm360k,
    "listenbrainz": listenbrainz,
    "mpd": mpd,
    "spotify_history": spotify_history,
    "table": table,
    "taste_profile": taste_profile,
    "yambda": yambda,
}


def import_data(kind: str, path: Path, to: Path, options: ImportOptions) -> ImportSummary:
    """Import a public data set into a folder: catalog, popularity list and training table.

    The listens lie on the disk of that folder meanwhile, so memory does not grow with them.

    Args:
        kind: A key of `FORMATS`.
        path: The file, or a folder of its files.
        to: Folder to write to; made if missing.
        options: What to keep, and how to read it.

    Raises:
        InputError: The format is unknown, the files are damaged or not of this format, or the
            folder cannot be written. Nothing is written then.
    """
    if kind not in FORMATS:
        raise InputError.one("KIND", unknown_name("format", kind, FORMATS))
    disk = next(folder for folder in (to, *to.absolute().parents) if folder.exists())
    if not disk.is_dir():
        raise InputError.one(str(disk), "must be a folder, is a file. Name a different folder")
    into = Collector(kind, disk)
    try:
        timed = FORMATS[kind].read(path, into, options)
        return write_import(into, to, options, timed=timed)
    finally:
        into.store.close()
