"""Ends of event files, as the writer or the compaction recorded them."""

import re
from pathlib import Path

import orjson

from events.event_files import END_SUFFIX, MANIFEST

_ENDING = re.compile(r"\.(jsonl|ndjson|json|log)(\.gz|\.zst|\.bz2|\.xz)?$")

_WRITTEN = re.compile(r"(events-.+-\d+-(\d+))-(\d{4,})\.")
"""Name of an event file of a server: its process, when that began, the number of the file."""

UNACKNOWLEDGED = "unacknowledged tail"
"""Reason of a last line that a kill cut off: no answer had left for it, so nothing is missing."""

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


def ends_unacknowledged(path: Path, last_ms: int | None) -> bool:
    """Test whether a cut last line of an event file is certainly one that was never answered.

    An answer leaves after the whole write, so a cut line was being written when its process was
    killed. That is certain if the file is the last of its process, if the process recorded no end,
    and if a different process began in the same folder later: then the line is not still being
    written, or copied too early.

    Args:
        path: The file.
        last_ms: Time of its last whole event; None if it has none.
    """
    name = _WRITTEN.match(path.name)
    if name is None or said_ends(path):
        return False
    is_last, next_ms = _after(path, name)
    return is_last and next_ms >= (int(name[2]) if last_ms is None else last_ms)


def may_grow(path: Path) -> bool:
    """Test whether a server may still append to an event file, as far as its folder shows."""
    name = _WRITTEN.match(path.name)
    if name is None or said_ends(path):
        return False
    is_last, next_ms = _after(path, name)
    return is_last and next_ms < path.stat().st_mtime * 1000


def _after(path: Path, name: re.Match[str]) -> tuple[bool, int]:
    """Tell whether a file is the last of its process, and when a different one began last."""
    is_last, next_ms = True, -1
    for each in path.parent.iterdir():
        found = _WRITTEN.match(each.name)
        if found is None or each.name.endswith(END_SUFFIX):
            continue
        if found[1] != name[1]:
            next_ms = max(next_ms, int(found[2]))
        elif int(found[3]) > int(name[3]) and each.stat().st_size:
            is_last = False
    return is_last, next_ms


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
