"""Ends of event files, as the writer or the compaction recorded them."""

import re
from pathlib import Path

import orjson

from events.event_files import END_SUFFIX, MANIFEST

_ENDING = re.compile(r"\.(jsonl|ndjson|json|log)(\.gz|\.zst|\.bz2|\.xz)?$")

FileEnd = tuple[int, str]
"""(lines of the file, id of its last line)."""


def said_ends(path: Path) -> list[FileEnd]:
    """List the recorded end of an event file; for Parquet, the ends of all files that it came from.

    A killed process recorded no end: then the list is empty.
    """
    if path.suffix == ".parquet":
        return _ends_of_parquet(path)
    beside = path.with_name(_ENDING.sub("", path.name) + END_SUFFIX)
    end = read_end(beside)
    return [end] if end is not None else []


def read_end(path: Path) -> FileEnd | None:
    """Read one `NAME.end.json`; None if it is missing, or does not come from the writer."""
    try:
        said = orjson.loads(path.read_bytes())
        return int(said["lines"]), str(said["last"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _ends_of_parquet(path: Path) -> list[FileEnd]:
    """Find the manifest above a Parquet file, and the ends of the event files behind the file."""
    manifest = next((up / MANIFEST for up in path.parents[:4] if (up / MANIFEST).is_file()), None)
    if manifest is None:
        return []
    name = path.relative_to(manifest.parent).as_posix()
    try:
        parts = orjson.loads(manifest.read_bytes()).values()
        ends = [part.get("end") for part in parts if name in part["files"]]
        return [(int(end[0]), str(end[1])) for end in ends if end]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return []
