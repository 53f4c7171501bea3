"""The files beside a server's log: the configs that decided, the experiments that started.

Without the copy of its config an event cannot be replayed; without the record of an experiment
nobody can tell later whether it changed. So a server that finds them gone writes them again.
"""

import logging
from collections.abc import Callable
from pathlib import Path

from engine.config_snapshots import save_snapshot
from engine.runtime import Runtime
from events.config_snapshots import FOLDER
from events.kept_folder import KeptFolder

LOG = logging.getLogger("segue")


class BesideLog:
    """The folders beside one server's log.

    Args:
        folder: Folder of the log.
        started: Folder of the experiment ledger.
        runtime: Returns the runtime that serves.

    Attributes:
        fault: Why a folder could not be kept at the last look; None if both were.
    """

    def __init__(self, folder: Path, started: Path, runtime: Callable[[], Runtime]) -> None:
        self.fault: str | None = None
        self._folder = folder
        self._runtime = runtime
        self._configs = KeptFolder(folder / FOLDER)
        self._started = KeptFolder(started)

    def keep_configs(self) -> None:
        """Write again the copies of configs that are gone, first of all that of the present one.

        Raises:
            OSError, InputError: The copy of the present config cannot be written.
        """
        runtime = self._runtime()
        if not (self._folder / FOLDER / f"{runtime.digest}.json").exists():
            save_snapshot(runtime, self._folder)
            LOG.warning("%s: the copy of config %s is written again", self._folder, runtime.digest)
        _keep(self._configs)

    def restore(self) -> None:
        """Write again what is gone, before an event needs it.

        Raises:
            OSError, InputError: The copy of the present config cannot be written, so that the event
                could not be replayed.
        """
        self.keep_configs()
        self.keep()

    def keep(self) -> None:
        """Write again what is gone from both folders; a failure becomes `fault`."""
        faults = []
        for folder, keep in (
            (self._configs.folder, self.keep_configs),
            (self._started.folder, lambda: _keep(self._started)),
        ):
            try:
                keep()
            except Exception as error:
                faults.append(f"{folder}: cannot be kept: {error}")
        self.fault = "; ".join(faults) or None


def _keep(folder: KeptFolder) -> None:
    if gone := folder.keep():
        LOG.warning("%s: was without %s, written again", folder.folder, ", ".join(gone))
