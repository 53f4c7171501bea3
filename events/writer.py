"""The event log's writer: files of one process, and a line on file before its answer leaves."""

import logging
import os
import socket
from collections.abc import Callable, Sequence
from itertools import accumulate, takewhile
from pathlib import Path
from threading import Lock

import orjson

from core.decision import LoggedTurn
from core.errors import EventLogError
from events.event_files import END_SUFFIX
from events.schema import line

LOG = logging.getLogger("segue")
MOST_RETIRED = 8
"""Most full files that wait for `sync`; after that, the next full file calls it."""


class EventWriter:
    """An event log in files that only this process writes.

    The writer never renames a file, so that `segue logs` can collect it while it grows; when a file
    is full, the writer begins one with the next number. It appends with one unbuffered write, so a
    killed process loses no line that it answered; after `sync` the lines survive a power cut too.

    Args:
        folder: Folder for the files; the writer makes it if it is missing.
        rotate_bytes: Size at which a file is full.
        now_ms: Unix time in ms; names the files.
    """

    def __init__(self, folder: Path, rotate_bytes: int, now_ms: Callable[[], int]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.lines = 0
        self._rotate_bytes = rotate_bytes
        self._stem = f"events-{socket.gethostname()}-{os.getpid()}-{now_ms()}"
        self._number = 0
        self._size = 0
        self._rotate_at = rotate_bytes
        self._unsynced = False
        self._retired: list[int] = []
        self._lines_here = 0
        self._last_id = ""
        self._syncing = Lock()
        self._descriptor = self._opened()

    def append(self, turn: LoggedTurn) -> None:
        """Append the event of one turn.

        Raises:
            EventLogError: The line is not on file; the server must not acknowledge the turn.
        """
        self.append_all((turn,))

    def append_all(self, turns: Sequence[LoggedTurn]) -> None:
        """Append one line per turn, in order, with one write.

        Raises:
            EventLogError: Only the lines of the first `written` turns are on file; the server must
                not acknowledge the turns after them.
        """
        lines = [line(turn) for turn in turns]
        content = lines[0] if len(lines) == 1 else b"".join(lines)
        try:
            went_in = os.write(self._descriptor, content)
        except OSError as error:
            if self._descriptor < 0:
                self._begin()  # for the next batch
            raise EventLogError(f"{self.path}: cannot append an event: {error}", 0) from error
        if went_in != len(content):
            path = self.path
            written = self._keep_whole_lines(lines, went_in)
            if written:
                self._last_id = turns[written - 1].id
            if self._descriptor < 0:
                self._begin()
            raise EventLogError(
                f"{path}: cannot append an event: only {went_in} of {len(content)} bytes went to "
                f"the file, {written} of {len(lines)} lines are whole",
                written,
            )
        self._last_id = turns[-1].id
        self._count(len(lines), went_in)

    def sync(self) -> None:
        """Sync the written lines to the disk; cheap when there are none. Any thread may call it."""
        with self._syncing:
            while self._retired:
                descriptor = self._retired.pop()
                try:
                    os.fsync(descriptor)
                finally:
                    os.close(descriptor)
            if self._unsynced and self._descriptor >= 0:
                self._unsynced = False
                try:
                    os.fsync(self._descriptor)
                except OSError:
                    self._unsynced = True
                    raise

    def close(self) -> None:
        """Sync and close; nobody may use the writer afterwards."""
        if self._descriptor >= 0:
            self._retired.append(self._descriptor)
            self._descriptor = -1
            self._write_end(*self._end())
        self.sync()

    @property
    def path(self) -> Path:
        """The file that is being written."""
        return self.folder / f"{self._stem}-{self._number:04}.jsonl"

    def _end(self) -> tuple[Path, dict[str, object]]:
        """Describe the end of the present file, and name the file for that description."""
        end = {"lines": self._lines_here, "bytes": self._size, "last": self._last_id}
        return self.path.with_suffix(END_SUFFIX), end

    def _write_end(self, path: Path, end: dict[str, object]) -> None:
        """Write the file's end beside it, so that a reader can tell whether lines are missing."""
        try:
            path.write_bytes(orjson.dumps(end))
        except OSError as error:
            LOG.error("%s: cannot be written: %s", path, error.strerror)

    def _opened(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        return os.open(self.path, flags, 0o644)

    def _rotate(self) -> None:
        """Continue in the next file; if none can be made, in this one for the same size again.

        `sync` syncs and closes the old file, so an append waits for no disk. No thread ever writes
        to a descriptor that is closed or, worse, that belongs to a connection by now.
        """
        before, end = self._descriptor, self._end()
        if self._begin():
            self._retire(before)
            self._write_end(*end)
        else:
            self._rotate_at = self._size + self._rotate_bytes

    def _count(self, lines: int, size: int) -> None:
        """Count the lines on file, and begin the next file when this one is full."""
        self._size += size
        self._unsynced = True
        self.lines += lines
        self._lines_here += lines
        if self._size >= self._rotate_at:
            self._rotate()

    def _keep_whole_lines(self, lines: Sequence[bytes], went_in: int) -> int:
        """Cut off the partial line; return how many lines are on file."""
        whole = list(takewhile(lambda end: end <= went_in, accumulate(map(len, lines))))
        self._size += whole[-1] if whole else 0
        self.lines += len(whole)
        self._lines_here += len(whole)
        self._unsynced = True
        self._cut_off()
        return len(whole)

    def _cut_off(self) -> None:
        """Cut the file to its whole lines, or write no further line after the partial one."""
        try:
            os.ftruncate(self._descriptor, self._size)
        except OSError:
            before, self._descriptor = self._descriptor, -1
            self._retire(before)

    def _begin(self) -> bool:
        """Begin the next file; return whether that worked."""
        self._number += 1
        try:
            self._descriptor = self._opened()
        except OSError as error:
            LOG.error("%s: cannot be created: %s", self.path, error.strerror)
            self._number -= 1
            return False
        self._size = self._lines_here = 0
        self._rotate_at = self._rotate_bytes
        return True

    def _retire(self, descriptor: int) -> None:
        self._retired.append(descriptor)
        if len(self._retired) > MOST_RETIRED:
            try:
                self.sync()
            except OSError:
                LOG.exception("%s: an earlier file cannot be synced to the disk", self.path)
