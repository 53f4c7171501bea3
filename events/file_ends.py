"""Ends of event files, as the writer or the compaction recorded them."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

import orjson

from events.event_files import END_SUFFIX, MANIFEST, EventFile

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
        return _Manifests().ends_of(path)
    beside = path.with_name(_ENDING.sub("", path.name) + END_SUFFIX)
    end = read_end(beside)
    return [end] if end is not None else []


def list_ends(sources: Sequence[EventFile]) -> list[tuple[int, int, str]]:
    """List the recorded ends of all files: number of the file, its lines, id of its last line."""
    manifests = _Manifests()
    with ThreadPoolExecutor(16) as pool:  # a store takes its time for each answer
        ends = {
            source.file_id: pool.submit(said_ends, source.path)
            for source in sources
            if source.path.suffix != ".parquet"
        }
        return [
            (source.file_id, *end)
            for source in sources
            for end in (
                ends[source.file_id].result()
                if source.file_id in ends
                else manifests.ends_of(source.path)
            )
        ]


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


class _Manifests:
    """The manifests of compactions, each read once: in an object store every look takes a while."""

    def __init__(self) -> None:
        self._has = cache(lambda folder: (folder / MANIFEST).is_file())
        self._ends = cache(_ends_by_name)

    def ends_of(self, path: Path) -> list[FileEnd]:
        """Find the manifest above a Parquet file, and the ends of the files that it came from."""
        for folder in path.parents[:4]:
            # Not in `day=2026-11-22` and its like: there are thousands of them.
            if "=" not in folder.name and self._has(folder):
                name = path.relative_to(folder).as_posix()
                return list(self._ends(folder / MANIFEST).get(name, ()))
        return []


def _ends_by_name(manifest: Path) -> dict[str, list[FileEnd]]:
    found: dict[str, list[FileEnd]] = {}
    try:
        for part in orjson.loads(manifest.read_bytes()).values():
            if end := part.get("end"):
                for name in part["files"]:
                    found.setdefault(name, []).append((int(end[0]), str(end[1])))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        return {}
    return found
