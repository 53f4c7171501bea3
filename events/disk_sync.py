"""Disk sync: brings written lines, and the names of their files, to the disk."""

import logging
from pathlib import Path
from threading import Lock

from core.limited_log import LimitedLog
from events.durable_files import sync_folder
from events.open_file import OpenFile

LOG = logging.getLogger("segue")
MOST_RETIRED = 8
"""Most full files that wait for a sync; after that, the next full file waits for one."""


class DiskSync:
    """The way of one writer's files to the disk.

    Any thread may sync: one at a time, and only under the lock is a retired file closed. So no
    thread ever writes to a descriptor that is closed or, worse, that belongs to a connection by
    now.

    Args:
        folder: The folder of the files.
        log: Takes the errors that no caller gets.
    """

    def __init__(self, folder: Path, log: LimitedLog) -> None:
        self._folder = folder
        self._log = log
        self._lock = Lock()
        self._retired: list[OpenFile] = []
        self._has_new_name = False

    def add_name(self) -> None:
        """Note that the folder has a name that is not on the disk."""
        self._has_new_name = True

    def retire(self, file: OpenFile) -> None:
        """Take a file that nobody writes to any more; the next sync syncs and closes it."""
        self._retired.append(file)
        if len(self._retired) > MOST_RETIRED:
            try:
                self.sync(None)
            except OSError as error:
                self._log.error("sync", "%s: cannot be synced to the disk: %s", file.path, error)

    def sync(self, present: OpenFile | None) -> None:
        """Sync and close the retired files, then sync the present one and the folder.

        Raises:
            OSError: Some lines may not be on the disk; the next call tries again.
        """
        with self._lock:
            failed = self._sync_retired()
            for sync in (self._sync_names, present.sync if present is not None else None):
                try:
                    if sync is not None:
                        sync()
                except OSError as error:
                    failed = failed or error
            if failed is not None:
                raise failed

    def _sync_names(self) -> None:
        if self._has_new_name:
            self._has_new_name = False
            try:
                sync_folder(self._folder)
            except OSError:
                self._has_new_name = True
                raise

    def _sync_retired(self) -> OSError | None:
        """Sync and close the retired files; keep those that cannot be synced.

        Returns:
            The error of one of them, if there was any.
        """
        failed: OSError | None = None
        kept: list[OpenFile] = []
        while self._retired:
            file = self._retired.pop(0)
            try:
                file.sync()
            except FileNotFoundError as error:
                LOG.error("%s", error)
            except OSError as error:
                failed = error
                if len(kept) < MOST_RETIRED:
                    kept.append(file)
                    continue
                LOG.error("%s: closed, and not synced to the disk: %s", file.path, error.strerror)
            file.close()
        self._retired.extend(kept)
        return failed
