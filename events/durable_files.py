"""Durable files: content and folder entry are on the disk when a function here returns.

A file whose content was synced is still lost in a power cut if the folder that names it was not.
"""

import errno
import os
from contextlib import suppress
from pathlib import Path
from threading import get_ident

_UNABLE = frozenset({errno.EINVAL, errno.ENOTSUP})
"""Errors of a file system that cannot sync a folder; it keeps the names by itself."""
_PROBE = bytes(1 << 16)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it that are missing; sync the entry of each."""
    missing = [each for each in (folder, *folder.parents) if not each.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for each in reversed(missing):
        sync_folder(each.parent)


def sync_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    if os.name == "nt":  # Windows opens no folder
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in _UNABLE:
            raise


def sync_file(path: Path) -> None:
    """Bring the content of a file to the disk, whoever wrote it."""
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def write_file(path: Path, content: bytes, *, replace: bool = True) -> None:
    """Write a whole file; a reader, or a power cut, finds the old content or the new one.

    Args:
        path: The file; its folder exists.
        content: The content.
        replace: Whether to replace a file of that name; without, such a file stays as it is.
    """
    part = path.with_name(f".{path.name}.{os.getpid()}-{get_ident()}.part")
    try:
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            part.replace(path)
        else:
            with suppress(FileExistsError):
                os.link(part, path)
    finally:
        part.unlink(missing_ok=True)
    sync_folder(path.parent)


def find_shortage(probe: Path) -> str | None:
    """Say why a folder takes no content, for instance since its disk is full; None if it does.

    Args:
        probe: A file in the folder, which is written and removed.
    """
    try:
        try:
            probe.write_bytes(_PROBE)
        finally:
            probe.unlink(missing_ok=True)
    except OSError as error:
        return f"{probe.parent}: takes no content: {error.strerror}"
    return None
