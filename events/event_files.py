"""Event files: finds them, and reads their lines in bounded pieces, compressed or not."""

import hashlib
import re
from collections.abc import Container, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.errors import Faults, InputError
from core.lines import BOM, check_encoding
from core.packings import UNPACKED_HERE, DamagedArchive, packing_of, unpack
from core.progress import SILENT, Progress
from events.url_path import log_path

END_SUFFIX = ".end.json"
"""Ending of the file in which the writer says where an event file ended."""

EVENT_FILE = re.compile(
    r"(?<!\.end)\.((jsonl|ndjson|json|log)(\.\d+)?(\.gz|\.zst|\.bz2|\.xz)?|parquet)$"
)
"""Names that are read below a folder; a file that the user names is read under any name.
A rotating log handler appends `.1`. The writer's `NAME.end.json` says where a file ended."""

BESIDE_EVENTS = frozenset({"configs", "started"})
"""Folders beside the events in which the server keeps snapshots and the experiment ledger."""

MANIFEST = "compacted.json"
"""Name of the file in which `segue logs compact` lists its Parquet."""

PIECE = 4 << 20
LONGEST_LINE = 64 << 20

_PACKINGS = UNPACKED_HERE | {"parquet"}


@dataclass(slots=True)
class EventFile:
    """One event file; reading it fills in `lines`, `checksum` and `unreadable`.

    Attributes:
        file_id: From 1, in the order of the paths.
        path: The file.
        packing: `plain`, `gzip`, `zstd`, `bzip2`, `xz` or `parquet`, by its first bytes.
        size: Bytes on the disk when the file was found; bytes appended later are not read.
        lines: Lines read, faulty ones included.
        checksum: SHA-256 of the unpacked content, in hex.
        unreadable: (line, reason) of lines that are not even text.
        is_cut: Whether the last line has no end.
        inode: Number of the file on its disk; a file that replaces it has a different one.
        changed_ns: When its content changed last, Unix time in ns.
    """

    file_id: int
    path: Path
    packing: str
    size: int
    lines: int = 0
    checksum: str = ""
    unreadable: list[tuple[int, str]] = field(default_factory=list)
    is_cut: bool = False
    inode: int = 0
    changed_ns: int = 0


def find_event_files(paths: Sequence[str | Path]) -> list[EventFile]:
    """Find the event files at these paths or URLs, and below them; each file once.

    Raises:
        InputError: A path does not exist, cannot be read, or is a folder without event files.
    """
    faults = Faults()
    found: dict[Path, Path] = {}
    if not paths:
        faults.add("LOG", "name at least one event file or folder, for instance log/")
    for given in paths:
        try:
            for path in _find_below(log_path(given)):
                found.setdefault(path.resolve(), path)
        except InputError as error:
            faults.extend(error)
    sources = []
    with ThreadPoolExecutor(16) as pool:  # a store takes its time for each answer
        for described in pool.map(_describe, range(1, len(found) + 1), found.values()):
            if isinstance(described, InputError):
                faults.extend(described)
            else:
                sources.append(described)
    faults.raise_if_any()
    return sources


def _find_below(path: Path) -> list[Path]:
    """Give a file itself; of a folder, the event files in it and below."""
    if path.is_file():
        return [path]
    if not path.is_dir():
        raise InputError.one(
            str(path), "is not there: name an event file or a folder with event files"
        )
    below = sorted(
        each
        for each in path.rglob("*")
        if EVENT_FILE.search(each.name)
        and each.name != MANIFEST
        and not _is_hidden(each, path)
        and each.is_file()
    )
    if not below:
        raise InputError.one(
            str(path),
            "has no event files (*.jsonl, *.json, *.log, also .gz, .zst, .bz2 and .xz, *.parquet)",
        )
    return below


def _describe(number: int, path: Path) -> EventFile | InputError:
    """Read how a file is packed, and how large it is."""
    try:
        with path.open("rb") as file:
            packing = packing_of(file.read(8))
        stat = path.stat()
    except OSError as error:
        return InputError.one(str(path), f"cannot be read: {error.strerror or error}")
    except InputError as error:
        return error
    packing = packing if packing in _PACKINGS else "plain"
    return EventFile(
        number, path, packing, stat.st_size, inode=stat.st_ino, changed_ns=stat.st_mtime_ns
    )


def read_pieces(source: EventFile, progress: Progress) -> Iterator[bytes]:
    """Yield the content as whole lines, in pieces of some megabytes; the last may lack its newline.

    Fills in `checksum`, `unreadable` and `is_cut`; the caller counts `lines` as it reads.

    Raises:
        InputError: A line is longer than 64 MB, so the file is no event log; or it is UTF-16.
    """
    digest = hashlib.sha256()
    rest, seen, has_cr_only = b"", False, False
    for content in _unpack(source, progress):
        digest.update(content)
        if not seen and content:
            seen = True
            check_encoding(str(source.path), content)
            content = content.removeprefix(BOM)
            has_cr_only = b"\n" not in content and b"\r" in content[:-1]
        if has_cr_only:
            content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        end = content.rfind(b"\n") + 1
        if end:
            yield rest + memoryview(content)[:end] if rest else content[:end]
            rest = content[end:]
        else:
            rest += content
            if len(rest) > LONGEST_LINE:
                raise InputError.one(
                    f"{source.path}:{source.lines + 1}",
                    f"is longer than {LONGEST_LINE >> 20} MB; an event log has one event a line",
                )
    source.is_cut = bool(rest)
    if rest:
        yield rest
    source.checksum = digest.hexdigest()


def source_checksum(source: EventFile) -> str:
    """The checksum of the unpacked content, as `read_pieces` computes it."""
    again = EventFile(source.file_id, source.path, source.packing, source.size)
    for _ in read_pieces(again, SILENT):
        pass
    return again.checksum


def checksum_of(path: Path) -> str:
    """SHA-256 of a file as it is on the disk, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _unpack(source: EventFile, progress: Progress) -> Iterator[bytes]:
    """Unpack the content up to the size that the file had, and note where an archive ends early."""
    try:
        yield from unpack(_read(source, progress), source.packing)
    except DamagedArchive as error:
        source.unreadable.append((source.lines + 1, error.reason))


def _read(source: EventFile, progress: Progress) -> Iterator[bytes]:
    most = PIECE if source.packing == "plain" else PIECE >> 2
    left = source.size
    try:
        with source.path.open("rb") as file:
            while left and (content := file.read(min(most, left))):
                left -= len(content)
                yield content
                progress.advance(len(content))
    except OSError as error:
        raise InputError.one(
            str(source.path), f"cannot be read: {error.strerror or error}"
        ) from error


def _is_hidden(path: Path, root: Path) -> bool:
    inside = path.relative_to(root).parts
    return any(part.startswith(".") for part in inside) or not BESIDE_EVENTS.isdisjoint(inside[:-1])


def rows_of_files(sources: Iterable[EventFile], ours: Container[int]) -> list[tuple[Any, ...]]:
    """Rows of the table `files`: file_id, path, format, lines, checksum.

    Args:
        sources: The files.
        ours: Ids of those with a line of our own schema.
    """

    def format_of(source: EventFile) -> str:
        if source.packing == "parquet":
            return "parquet"
        return "ours" if source.file_id in ours else "botify"

    return [
        (source.file_id, str(source.path), format_of(source), source.lines, source.checksum)
        for source in sources
    ]
