"""Collection: the event files of several servers in one folder, with nothing lost on the way.

Every origin has a folder of its own in the cache, so files of the same name never meet. A server
only appends to an event file, so the copy here is the beginning of the file there. Where it is not
(the container was created again), the new file is kept beside the old one as `name~2.jsonl`. A
file gets its name only when it is complete and its counts agree with those at the origin.
"""

import hashlib
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path

from core.errors import Faults, InputError, SegueError
from core.progress import SILENT, Progress
from events.remote_logs import PIECE, RemoteFile, RemoteLog, remote_log

SAMPLE = 64 << 10
"""Bytes at either end of the copy that are compared with the origin before it is continued."""

_COMPRESSED = re.compile(r"\.(gz|zst|bz2|xz|parquet)$")
_SUFFIX = re.compile(r"(\.(jsonl|ndjson|json|log|parquet))?(\.\d+)?(\.gz|\.zst|\.bz2|\.xz)?$")


@dataclass(slots=True)
class CollectedFiles:
    """The result for one origin, summed over its files.

    Attributes:
        url: The origin.
        folder: Folder of its copies.
        new: Files without a copy before.
        grown: Files that have grown since the last collection.
        same: Files that have not changed.
        beside: Files that do not continue the copy, so that they were put beside it.
        lines: Newlines, equal at the origin and here; compressed files count only in bytes.
        bytes: Bytes fetched by this collection.
    """

    url: str
    folder: Path
    new: int = 0
    grown: int = 0
    same: int = 0
    beside: int = 0
    lines: int = 0
    bytes: int = 0


def collect(
    urls: Sequence[str], to: Path, *, thorough: bool = False, progress: Progress = SILENT
) -> list[CollectedFiles]:
    """Copy every event file of the origins into `to`; of a known file, copy only the new part.

    A file that grows during the copy is copied up to its size at the listing.

    Args:
        urls: Folders, files, URLs, `docker://CONTAINER[/path]`.
        to: The cache; made if missing. Files in it that are not event files stay.
        thorough: Compare the whole copy with its origin, not only both ends of it.
        progress: Shows the bytes.

    Raises:
        InputError: Some origins could not be read; the rest has been collected.
        SegueError: A count here differs from the count at the origin.
    """
    faults = Faults()
    done = []
    for url in urls:
        try:
            with remote_log(url, to) as origin:
                done.append(_collect(origin, to, thorough, progress))
        except InputError as error:
            faults.extend(error)
        except OSError as error:
            faults.add(url, f"cannot be collected: {error}")
    faults.raise_if_any()
    return done


def _collect(origin: RemoteLog, to: Path, thorough: bool, progress: Progress) -> CollectedFiles:
    collected = CollectedFiles(origin.url, to / origin.folder)
    # The cache may lie inside the folder that is collected: so does what `docker cp` writes.
    cache = to.resolve()
    inside = cache in origin.root.parents
    found = [each for each in origin.files if inside or cache not in each.path.parents]
    progress.start(origin.url, sum(each.size for each in found))
    for each in found:
        _collect_file(each, collected, thorough, progress)
    return collected


def _collect_file(
    found: RemoteFile, collected: CollectedFiles, thorough: bool, progress: Progress
) -> None:
    for number in count(1):
        path = collected.folder / _file_name(found.name, number)
        copied = path.stat().st_size if path.exists() else None
        if copied is None or _is_prefix(path, copied, found, thorough):
            break
    if copied == found.size:
        collected.same += 1
        collected.lines += _count_lines(path, found.name)
        progress.advance(found.size)
        return
    collected.lines += _fetch(found, path, copied or 0, progress)
    collected.bytes += found.size - (copied or 0)
    if copied is not None:
        collected.grown += 1
    elif number > 1:
        collected.beside += 1
    else:
        collected.new += 1


def _is_prefix(path: Path, size: int, found: RemoteFile, thorough: bool) -> bool:
    """Test whether the copy is the beginning of the file at the origin."""
    if size > found.size:
        return False
    ranges = [(0, size)]
    if not thorough and size > 2 * SAMPLE:
        ranges = [(0, SAMPLE), (size - SAMPLE, size)]
    with path.open("rb") as file:
        for start, end in ranges:
            file.seek(start)
            for theirs in found.read_pieces(start, end):
                if file.read(len(theirs)) != theirs:
                    return False
    return True


def _fetch(found: RemoteFile, path: Path, copied: int, progress: Progress) -> int:
    """Write the file, or its new part, and count its lines.

    It gets its name when it is complete, so an interrupted collection leaves the old copy.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    digest = hashlib.sha256()
    lines = 0
    try:
        with part.open("wb") as file:
            if copied:
                with path.open("rb") as old:
                    for piece in iter(lambda: old.read(PIECE), b""):
                        digest.update(piece)
                        lines += piece.count(b"\n")
                        file.write(piece)
                progress.advance(copied)
            for piece in found.read_pieces(copied, found.size):
                digest.update(piece)
                lines += piece.count(b"\n")
                file.write(piece)
                progress.advance(len(piece))
            file.flush()
            os.fsync(file.fileno())
        _check(part, path, found, lines, digest.hexdigest())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return 0 if _COMPRESSED.search(found.name) else lines


def _check(part: Path, path: Path, found: RemoteFile, lines: int, checksum: str) -> None:
    """Read the copy back, and compare it with the bytes that were read at the origin."""
    size = part.stat().st_size
    digest = hashlib.sha256()
    here = 0
    with part.open("rb") as file:
        for piece in iter(lambda: file.read(PIECE), b""):
            digest.update(piece)
            here += piece.count(b"\n")
    if (size, here, digest.hexdigest()) != (found.size, lines, checksum):
        raise SegueError(
            f"{path}: must have {lines} lines in {found.size} bytes, as the origin has, got {here} "
            f"lines in {size} bytes; the copy was not kept. Collect again. If it happens again, "
            "a program rewrites the file at the origin, or the disk here is failing"
        )


def _count_lines(path: Path, name: str) -> int:
    if _COMPRESSED.search(name):
        return 0
    with path.open("rb") as file:
        return sum(piece.count(b"\n") for piece in iter(lambda: file.read(PIECE), b""))


def _file_name(name: str, number: int) -> str:
    """`a.jsonl.gz`, then `a~2.jsonl.gz`: the suffix still names the format."""
    suffix = _SUFFIX.search(name)
    cut = suffix.start() if suffix and number > 1 else len(name)
    return name if number == 1 else f"{name[:cut]}~{number}{name[cut:]}"
