"""An event file that this process writes: its place in the folder, and its way to the disk."""

import os
from contextlib import suppress
from pathlib import Path

import orjson

from events.event_files import END_SUFFIX

# Windows has only O_BINARY, without which it ends lines with CRLF; Linux only O_CLOEXEC.
_OPENING = getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)


class OpenFile:
    """One event file, open for appending.

    Args:
        path: The file; it must not exist yet.
        number: Its number among the files of this process.

    Attributes:
        descriptor: Its descriptor.
        size: Bytes of its whole lines.
        lines: Its number of lines.
        last_id: Id of the last decision in it.
    """

    __slots__ = (
        "_doubtful",
        "_identity",
        "_synced",
        "descriptor",
        "last_id",
        "lines",
        "number",
        "path",
        "size",
    )

    def __init__(self, path: Path, number: int) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | _OPENING
        self.descriptor = os.open(path, flags, 0o644)
        found = os.fstat(self.descriptor)
        self.path = path
        self.number = number
        self.size = self.lines = self._synced = 0
        self.last_id = ""
        self._identity = found.st_dev, found.st_ino
        self._doubtful = False

    def find_displacement(self) -> str | None:
        """Say where the file went, if it no longer lies at its path."""
        try:
            there = self.path.stat()
        except (FileNotFoundError, NotADirectoryError):
            gone = os.fstat(self.descriptor).st_nlink == 0
            return "was removed" if gone else "was renamed, or its folder was"
        if (there.st_dev, there.st_ino) != self._identity:
            return "was replaced by a different file"
        return None

    def find_damage(self) -> str | None:
        """Say that a different program changed the file; only the thread that appends may ask."""
        found = os.fstat(self.descriptor).st_size
        if found == self.size:
            return None
        return f"has {found:,} bytes and must have {self.size:,}: a different program changed it"

    def sync(self) -> None:
        """Bring the lines that are there now to the disk; cheap when there are no new ones."""
        size = self.size
        if size == self._synced:
            return
        if self._doubtful:
            self._write_again(self._synced, size)
        try:
            os.fsync(self.descriptor)
        except OSError:
            self._doubtful = True
            raise
        self._synced, self._doubtful = size, False

    def close(self) -> None:
        """Close without a sync."""
        descriptor, self.descriptor = self.descriptor, -1
        os.close(descriptor)

    def discard(self) -> None:
        """Close, and remove the file if it has no line."""
        if self.size == 0 and self.find_displacement() is None:
            with suppress(OSError):
                self.path.unlink()
        self.close()

    def write_end(self) -> None:
        """Write the file's end beside it, so that a reader can tell whether lines are missing.

        Raises:
            OSError: The end cannot be written; the lines are not affected.
        """
        end = {"lines": self.lines, "bytes": self.size, "last": self.last_id}
        self.path.with_suffix(END_SUFFIX).write_bytes(orjson.dumps(end))

    def _write_again(self, start: int, end: int) -> None:
        """Write lines over themselves, so that the next sync has something to write.

        After a failed fsync Linux counts the pages as written: the next fsync would succeed, and
        the lines would not be on the disk. The text is still in memory, where this reads it. A
        second descriptor does it, because a write to the first one always appends.
        """
        descriptor = os.open(self.path, os.O_RDWR | _OPENING)
        try:
            found = os.fstat(descriptor)
            if (found.st_dev, found.st_ino) != self._identity:
                raise FileNotFoundError(f"{self.path}: its unsynced lines are lost in a power cut")
            while start < end and (
                content := os.pread(descriptor, min(end - start, 1 << 20), start)
            ):
                start += os.pwrite(descriptor, content, start)
        finally:
            os.close(descriptor)
