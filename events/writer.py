"""Appending events: one file per process, in the file before the answer leaves."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

from core.decision import Decision, Feedback
from core.errors import LogUnwritable
from events.schema import line


class EventWriter:
    """Appends events to files that only this process writes.

    A file is never renamed, so that it can be collected while it grows; when it is full, a file
    with the next number begins. A line is appended with one unbuffered write, so a process that
    is killed loses nothing that it answered; `sync` makes it survive a power cut as well.

    Args:
        folder: Where to write; made if missing.
        rotate_bytes: Size from which a new file begins.
        now_ms: Unix time in ms; names the files.
    """

    def __init__(self, folder: Path, rotate_bytes: int, now_ms: Callable[[], int]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.lines = 0
        self._rotate_bytes = rotate_bytes
        self._stem = f"events-{socket.gethostname()}-{os.getpid()}-{now_ms()}"
        self._number = 0
        self._descriptor = -1
        self._size = 0
        self._unsynced = False
        self._open()

    def append(self, turn: Decision | Feedback) -> None:
        """Write the turn's event.

        Raises:
            LogUnwritable: Nothing was written; the turn must not be acknowledged.
        """
        content = line(turn)
        try:
            written = os.write(self._descriptor, content)
            if written != len(content):
                os.ftruncate(self._descriptor, self._size)
                raise OSError(f"only {written} of {len(content)} bytes went to the file")
        except OSError as error:
            raise LogUnwritable(f"{self.path}: cannot append an event: {error}") from error
        self._size += written
        self._unsynced = True
        self.lines += 1
        if self._size >= self._rotate_bytes:
            self._rotate()

    def sync(self) -> None:
        """Force what was written to the disk; cheap when nothing was."""
        if self._unsynced:
            self._unsynced = False
            os.fsync(self._descriptor)

    def close(self) -> None:
        """Sync and close; the writer is of no use afterwards."""
        if self._descriptor >= 0:
            self.sync()
            os.close(self._descriptor)
            self._descriptor = -1

    @property
    def path(self) -> Path:
        """The file that is being written."""
        return self.folder / f"{self._stem}-{self._number:04}.jsonl"

    def _open(self) -> None:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        self._descriptor = os.open(self.path, flags, 0o644)
        self._size = 0

    def _rotate(self) -> None:
        self.sync()
        os.close(self._descriptor)
        self._number += 1
        self._open()
