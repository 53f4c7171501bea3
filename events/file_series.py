"""The series of one process's event files: numbered names, and the next file made in time."""

import os
import socket
from itertools import count
from pathlib import Path

from events.durable_files import sync_folder
from events.open_file import OpenFile


class FileSeries:
    """The event files of one process in their order.

    Args:
        folder: The folder of the files.
        at_ms: Unix time in ms at which the process began to log; part of the names.

    Attributes:
        stem: First part of all names.
    """

    def __init__(self, folder: Path, at_ms: int) -> None:
        self.stem = f"events-{socket.gethostname()}-{os.getpid()}-{at_ms}"
        self._folder = folder
        self._numbers = count()
        self._spare: OpenFile | None = None

    def create(self) -> OpenFile:
        """Create a file; its name is not on the disk yet."""
        number = next(self._numbers)
        return OpenFile(self._folder / f"{self.stem}-{number:04}.jsonl", number)

    def prepare(self) -> None:
        """Create the next file before it is needed, with its name on the disk.

        A thread of its own does that, so that the first line of the next file waits for no disk.
        """
        if self._spare is None:
            spare = self.create()
            try:
                sync_folder(self._folder)
            except OSError:
                spare.discard()
                raise
            self._spare = spare

    def take_prepared(self, after: OpenFile | None) -> OpenFile | None:
        """Give the prepared file, if it is still in the folder and its number is the next."""
        spare, self._spare = self._spare, None
        if spare is None:
            return None
        # While one thread prepared it, a different one may have created a file after it.
        in_order = after is None or after.number < spare.number
        if in_order and spare.find_displacement() is None:
            return spare
        spare.discard()
        return None
