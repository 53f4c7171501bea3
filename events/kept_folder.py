"""A folder of small files whose content a server remembers, to write again what is removed."""

import os
from pathlib import Path
from threading import Lock

from events.durable_files import make_folder, write_file

Stamp = tuple[int, int]
"""Time of the last change, in ns, and size."""


class KeptFolder:
    """The JSON files of one folder; several processes may write there.

    Args:
        folder: The folder; it need not exist yet.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: dict[str, tuple[Stamp, bytes]] = {}
        self._lock = Lock()

    def keep(self) -> list[str]:
        """Remember what is new or changed; write again what is gone. Any thread may call it.

        Returns:
            The names of the files that were written again.

        Raises:
            OSError: The folder cannot be read or written.
        """
        with self._lock:
            there = self._stamps()
            for name, stamp in there.items():
                if name not in self._known or self._known[name][0] != stamp:
                    self._known[name] = stamp, (self.folder / name).read_bytes()
            gone = sorted(self._known.keys() - there)
            if gone:
                make_folder(self.folder)
            for name in gone:
                # Never in place of a file that a different process wrote meanwhile.
                write_file(self.folder / name, self._known[name][1], replace=False)
            return gone

    def _stamps(self) -> dict[str, Stamp]:
        try:
            with os.scandir(self.folder) as entries:
                found = [e for e in entries if e.name.endswith(".json") and e.name[0] != "."]
                stats = [(entry.name, entry.stat()) for entry in found]
        except (FileNotFoundError, NotADirectoryError):
            return {}
        return {name: (stat.st_mtime_ns, stat.st_size) for name, stat in stats}
