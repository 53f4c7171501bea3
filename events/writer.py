"""The event log's writer: files of one process, and a line on file before its answer leaves."""

import errno
import logging
import os
from collections.abc import Callable, Sequence
from itertools import accumulate, takewhile
from pathlib import Path

from core.decision import LoggedTurn
from core.errors import EventLogError, SegueError
from core.limited_log import LimitedLog
from events.disk_sync import DiskSync
from events.durable_files import find_shortage, make_folder, sync_folder
from events.file_series import FileSeries
from events.name_watch import NameWatch
from events.open_file import OpenFile
from events.schema import line

LOG = logging.getLogger("segue")


def _nothing() -> None:
    """Keep nothing beside the log."""


class EventWriter:
    """An event log in files that only this process writes.

    The writer never renames a file, so that `segue logs` can collect it while it grows; when a file
    is full, the writer begins one with the next number. It appends with one unbuffered write, so a
    killed process loses no line that it answered; after `sync` the lines survive a power cut too.
    If somebody removes the file, the writer begins a new one before the next line is acknowledged.

    Args:
        folder: Folder for the files; the writer makes it if it is missing.
        rotate_bytes: Size at which a file is full.
        now_ms: Unix time in ms; names the files.
        keep_beside: Called when the writer had to begin a file because the one before was gone:
            writes again what a reader needs beside the log.

    Attributes:
        lines: Lines written since the start.
        path: The file that is being written; the last one, if none is.
        fault: Why lines are refused; None if they are not.
        next_fault: Why the next file cannot be begun; None if it can.
    """

    def __init__(
        self,
        folder: Path,
        rotate_bytes: int,
        now_ms: Callable[[], int],
        keep_beside: Callable[[], object] = _nothing,
    ) -> None:
        self.folder = folder
        self.lines = 0
        self.fault: str | None = None
        self.next_fault: str | None = None
        self._rotate_bytes = self._rotate_at = rotate_bytes
        self._keep_beside = keep_beside
        self._refused = 0
        self._log = LimitedLog(LOG, lambda: now_ms() / 1000)
        self._series = FileSeries(folder, now_ms())
        self._disk = DiskSync(folder, self._log)
        self._watch = NameWatch()
        self._file: OpenFile | None = None
        make_folder(folder)
        self._use(self._series.create())
        sync_folder(folder)

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
            went_in = self._write(content)
        except (OSError, SegueError) as error:
            raise self._refusal(f"cannot append an event: {error}", 0, len(lines), error) from error
        file = self._file
        assert file is not None, "a write that succeeded has a file"
        if went_in != len(content):
            written = self._keep_whole_lines(file, lines, went_in)
            if written:
                file.last_id = turns[written - 1].id
            message = (
                f"cannot append an event: only {went_in} of {len(content)} bytes went to the file, "
                f"{written} of {len(lines)} lines are whole"
            )
            raise self._refusal(message, written, len(lines) - written)
        file.last_id = turns[-1].id
        file.size += went_in
        file.lines += len(lines)
        self.lines += len(lines)
        if self.fault is not None or self._refused:
            self._recover()
        if file.size >= self._rotate_at:
            self._rotate(file)

    def sync(self) -> None:
        """Sync the written lines to the disk; cheap when there are none. Any thread may call it.

        Raises:
            OSError: Some lines may not be on the disk; the next call tries again.
        """
        file = self._file
        self._disk.sync(file)
        if file is not None and file.size >= self._rotate_at - self._rotate_bytes // 2:
            try:
                self._series.prepare()
                self.next_fault = None
            except OSError as error:
                self._say_next_fault(error)

    def close(self) -> None:
        """Sync and close; nobody may use the writer afterwards."""
        file, self._file = self._file, None
        if file is not None:
            self._disk.retire(file)
            self._write_end(file)
        self._watch.close()
        if (spare := self._series.take_prepared(None)) is not None:
            spare.discard()
        self._disk.sync(None)

    # Looks

    def find_displacement(self) -> str | None:
        """Say what happened to the present file, if it is not where it was; any thread may ask."""
        file = self._file
        return "could not be created" if file is None else file.find_displacement()

    def find_damage(self) -> str | None:
        """Say that the present file was changed; only the thread that appends may ask."""
        return None if self._file is None else self._file.find_damage()

    def find_shortage(self) -> str | None:
        """Say why the folder takes no content, for instance since the disk is full; any thread."""
        return find_shortage(self.folder / f".{self._series.stem}.probe")

    def begin_new_file(self, why: str) -> None:
        """Begin a file in place of the present one, whose lines may be lost; say so.

        Args:
            why: What happened to the present one.

        Raises:
            OSError, SegueError: No file can be begun; lines are refused until one can.
        """
        before, self._file = self._file, None
        if before is not None:
            said = "%s: %s, with %d acknowledged events. Events go to a new file"
            LOG.error(said, before.path, why, before.lines)
            self._disk.retire(before)
        try:
            self._begin_durably()
        except (OSError, SegueError) as error:
            self.fault = f"{self.folder}: no event file can be begun: {error}"
            self._log.error("begin", "%s. The server answers 503 until one can", self.fault)
            raise
        LOG.warning("%s: a new event file begins", self.path)

    # Lines

    def _write(self, content: bytes) -> int:
        """Write to a file that has a name; return how many bytes went in."""
        file = self._file
        if file is None:
            raise OSError(errno.EBADF, "no file is open")
        went_in = os.write(file.descriptor, content)
        # Without it, every answer until the next look at the folder would be lost with the file.
        if self._watch.is_removed(file):
            self.begin_new_file("was removed")
            return self._write(content)
        return went_in

    def _refusal(
        self, message: str, written: int, refused: int, cause: Exception | None = None
    ) -> EventLogError:
        """Note that turns were refused; begin a file for the next batch where that can help."""
        self.fault = f"{self.path}: {message}"
        self._refused += refused
        self._log.error("refused", "%s. The server answers 503 until a line goes in", self.fault)
        too_large = isinstance(cause, OSError) and cause.errno == errno.EFBIG
        if self._file is None or too_large:
            try:
                self._begin_durably()
            except (OSError, SegueError) as error:
                self._log.error("begin", "%s: no event file can be begun: %s", self.folder, error)
        return EventLogError(self.fault, written)

    def _recover(self) -> None:
        self.fault = None
        # A disk that is full by turns would write a line each time; the count waits for the next.
        if self._refused and self._log.is_due("recovered"):
            said = "%s: takes events again; %d turns were refused"
            self._log.warning("recovered", said, self.path, self._refused)
            self._refused = 0

    def _keep_whole_lines(self, file: OpenFile, lines: Sequence[bytes], went_in: int) -> int:
        """Cut off the partial line; return how many lines are on file."""
        whole = list(takewhile(lambda end: end <= went_in, accumulate(map(len, lines))))
        file.size += whole[-1] if whole else 0
        file.lines += len(whole)
        self.lines += len(whole)
        try:
            os.ftruncate(file.descriptor, file.size)
        except OSError:  # a line written after the partial one would join it
            self._file = None
            self._disk.retire(file)
        return len(whole)

    # Files

    def _use(self, file: OpenFile) -> None:
        self._file = file
        self.path = file.path
        self._watch.follow(file)
        self._rotate_at = self._rotate_bytes

    def _rotate(self, full: OpenFile) -> None:
        """Continue in the next file; if none can be made, in this one for the same size again.

        An append waits for no disk: a thread prepared the next file, and will sync the full one.
        """
        try:
            file = self._series.take_prepared(full)
            if file is None:
                file = self._series.create()
                self._disk.add_name()
        except OSError as error:
            self._rotate_at = full.size + self._rotate_bytes
            self._say_next_fault(error)
            return
        self.next_fault = None
        self._use(file)
        self._disk.retire(full)
        self._write_end(full)

    def _begin_durably(self) -> None:
        """Begin a file, with its folder and all that belongs beside it, all of it on the disk."""
        before, self._file = self._file, None
        if before is not None:
            self._disk.retire(before)
            self._write_end(before)
        make_folder(self.folder)
        file = self._series.take_prepared(None) or self._series.create()
        try:
            sync_folder(self.folder)
            self._keep_beside()
        except (OSError, SegueError):
            file.discard()
            raise
        self._use(file)

    def _write_end(self, file: OpenFile) -> None:
        try:
            if file.find_displacement() is None:
                file.write_end()
        except OSError as error:
            LOG.error("%s: its end cannot be written: %s", file.path, error.strerror)

    def _say_next_fault(self, error: OSError) -> None:
        self.next_fault = (
            f"{self.folder}: the next event file cannot be created: {error.strerror}. The present "
            "one grows beyond events.rotate_mb"
        )
        self._log.error("next", "%s", self.next_fault)
