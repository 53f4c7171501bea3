"""Sealed copies: the content of a file, taken once into memory that nothing can change afterwards.

A memory map of the file itself would follow the file. A list that is rewritten in place would play
under the old checksum, and a file that is cut short would end the process with SIGBUS. A hard link
would not help: it is the same file under a second name.
"""

import hashlib
import mmap
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, TypeVar

import numpy as np
import numpy.typing as npt

from core.errors import InputError

CHUNK = 1 << 20


class HasChecksum(Protocol):
    """Loaded content of a file."""

    @property
    def checksum(self) -> str:
        """SHA-256 of the file's content, in hex."""


Sealed = TypeVar("Sealed", bound=HasChecksum)


@dataclass(frozen=True, slots=True)
class SealedCopy:
    """A copy of a file.

    Attributes:
        file: The copy, open for reading.
        content: uint8, (bytes,), the copy in memory; forked processes share it. It outlives `file`.
    """

    file: BinaryIO
    content: npt.NDArray[np.uint8]


def sealed_copy(path: Path) -> SealedCopy:
    """Copy a file into memory, and seal the copy; the caller closes its file.

    Raises:
        InputError: The file cannot be read, or changed while it was copied.
    """
    copy = _private_file()
    try:
        with _unchanged(path) as source:
            shutil.copyfileobj(source, copy, CHUNK)
        copy.flush()
    except BaseException:
        copy.close()
        raise
    _seal(copy.fileno())
    size = copy.tell()
    copy.seek(0)
    # An empty file cannot be mapped.
    mapped = mmap.mmap(copy.fileno(), size, access=mmap.ACCESS_READ) if size else b""
    return SealedCopy(copy, np.frombuffer(mapped, dtype=np.uint8))


def read_whole(path: Path) -> bytes:
    """Read a file at once.

    Raises:
        InputError: The file cannot be read, or changed while it was read.
    """
    with _unchanged(path) as source:
        return source.read()


def checksum_of(path: Path) -> str:
    """Compute the SHA-256 of a file's content, in hex.

    Raises:
        InputError: The file cannot be read, or changed while it was read.
    """
    digest = hashlib.sha256()
    with _unchanged(path) as source:
        while part := source.read(CHUNK):
            digest.update(part)
    return digest.hexdigest()


def same_content(path: Path, known: Iterable[Sealed]) -> Sealed | None:
    """Find what was loaded of a file with the same content, so that it is not loaded again."""
    by_checksum = {each.checksum: each for each in known}
    return by_checksum.get(checksum_of(path)) if by_checksum else None


@contextmanager
def _unchanged(path: Path) -> Iterator[BinaryIO]:
    """Open a file, and refuse it if it changes before the block ends."""
    try:
        with path.open("rb") as source:
            before = _version(source)
            yield source
            after = _version(source)
    except OSError as error:
        raise InputError.one(str(path), f"cannot be read: {error.strerror or error}") from error
    if after != before:
        raise InputError.one(
            str(path),
            "must stay as it is while it is read, and changed meanwhile. Write a new file beside "
            "it, and rename that one (mv) into its place",
        )


def _version(source: BinaryIO) -> tuple[int, int, int]:
    found = os.fstat(source.fileno())
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _private_file() -> BinaryIO:
    """Open a file without a name: in memory on Linux, elsewhere in the folder for such files."""
    if hasattr(os, "memfd_create"):
        # Open for reading and writing until the copy is whole; `_seal` ends the writing.
        return os.fdopen(os.memfd_create("segue", os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING), "w+b")
    return tempfile.TemporaryFile()


def _seal(number: int) -> None:
    """Let the kernel refuse every later change, by any process and by any way."""
    if hasattr(os, "memfd_create"):
        import fcntl

        fcntl.fcntl(
            number,
            fcntl.F_ADD_SEALS,
            fcntl.F_SEAL_WRITE | fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL,
        )
