"""Collecting: the event files of several servers in one folder, without loss and without doubt.

Every origin has a folder of its own in the cache, so files of the same name never meet. Event
files are only appended to, so what is already here begins what is there; where it does not (a
container was made anew), the new file is kept beside the old one as `name~2.jsonl`. A file gets
its name only when it is whole and its counts agree with those at the origin.
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
"""Bytes at either end of what is here that are compared with the origin before going on."""

_PACKED = re.compile(r"\.(gz|zst|parquet)$")
_SUFFIX = re.compile(r"(\.(jsonl|ndjson|json|log|parquet))?(\.\d+)?(\.gz|\.zst)?$")


@dataclass(slots=True)
class CollectedFiles:
    """What came of one origin, summed over its files.

    Attributes:
        url: The origin.
        folder: Where its files are now.
        new: Files that were not here.
        grown: Files of which there was more.
        same: Files of which there was no more.
        beside: Files that do not go on where the one here ends, and so were put beside it.
        lines: Newlines, equal at the origin and here; of packed files only the bytes are counted.
        bytes: Bytes fetched this time.
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
    """Bring every event file of the origins into `to`, or what was added to it since last time.

    Of a file that grows, as much is taken as it had when it was listed.

    Args:
        urls: Folders, files, fsspec URLs, `docker://CONTAINER[/path]`.
        to: The cache; made if missing; what else is in it stays as it is.
        thorough: Compare all that is here already with its origin, not only both ends of it.
        progress: Who is told of the bytes.

    Raises:
        InputError: Some origins could not be read; the others have been collected.
        SegueError: A count here differs from that at the origin.
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
    # The cache may itself lie in the folder that is collected; laid down by docker, it does.
    cache = str(to.resolve()) + "/"
    inside = origin.root.startswith(cache)
    found = [each for each in origin.files if inside or not each.path.startswith(cache)]
    progress.start(origin.url, sum(each.size for each in found))
    for each in found:
        _collect_file(each, collected, thorough, progress)
    return collected


def _collect_file(
    found: RemoteFile, collected: CollectedFiles, thorough: bool, progress: Progress
) -> None:
    for number in count(1):
        path = collected.folder / _generation(found.name, number)
        begun = path.stat().st_size if path.exists() else None
        if begun is None or _begins(path, begun, found, thorough):
            break
    if begun == found.size:
        collected.same += 1
        collected.lines += _lines(path, found.name)
        progress.advance(found.size)
        return
    collected.lines += _fetch(found, path, begun or 0, progress)
    collected.bytes += found.size - (begun or 0)
    if begun is not None:
        collected.grown += 1
    elif number > 1:
        collected.beside += 1
    else:
        collected.new += 1


def _begins(path: Path, size: int, found: RemoteFile, thorough: bool) -> bool:
    """Whether the file here is the beginning of that at the origin."""
    if size > found.size:
        return False
    ranges = [(0, size)]
    if not thorough and size > 2 * SAMPLE:
        ranges = [(0, SAMPLE), (size - SAMPLE, size)]
    with path.open("rb") as file:
        for start, end in ranges:
            file.seek(start)
            for theirs in found.pieces(start, end):
                if file.read(len(theirs)) != theirs:
                    return False
    return True


def _fetch(found: RemoteFile, path: Path, begun: int, progress: Progress) -> int:
    """Write the file, or what was added to it; number of its lines.

    It gets its name when it is whole, so a copy that is broken off leaves the file as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    digest = hashlib.sha256()
    lines = 0
    try:
        with part.open("wb") as file:
            if begun:
                with path.open("rb") as old:
                    for piece in iter(lambda: old.read(PIECE), b""):
                        digest.update(piece)
                        lines += piece.count(b"\n")
                        file.write(piece)
                progress.advance(begun)
            for piece in found.pieces(begun, found.size):
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
    return 0 if _PACKED.search(found.name) else lines


def _check(part: Path, path: Path, found: RemoteFile, lines: int, checksum: str) -> None:
    """Read back what was written, and compare it with what was read at the origin."""
    size = part.stat().st_size
    digest = hashlib.sha256()
    here = 0
    with part.open("rb") as file:
        for piece in iter(lambda: file.read(PIECE), b""):
            digest.update(piece)
            here += piece.count(b"\n")
    if (size, here, digest.hexdigest()) != (found.size, lines, checksum):
        raise SegueError(
            f"{path}: {lines} lines were read of {found.size} bytes at the origin, {here} lines in "
            f"{size} bytes arrived; nothing was kept of it. Collect again; if it happens again, "
            "the file is being rewritten at the origin, or the disk here is failing"
        )


def _lines(path: Path, name: str) -> int:
    if _PACKED.search(name):
        return 0
    with path.open("rb") as file:
        return sum(piece.count(b"\n") for piece in iter(lambda: file.read(PIECE), b""))


def _generation(name: str, number: int) -> str:
    """`a.jsonl.gz`, then `a~2.jsonl.gz`, so that what it is can still be told from its name."""
    suffix = _SUFFIX.search(name)
    cut = suffix.start() if suffix and number > 1 else len(name)
    return name if number == 1 else f"{name[:cut]}~{number}{name[cut:]}"
