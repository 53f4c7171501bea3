"""The keeper of a server's event log: syncs it, and looks whether it is still there.

Nothing here may end silently: each step that fails is said, is a warning of `/readyz`, and is tried
again.
"""

import asyncio
import logging
import shutil
from collections.abc import Awaitable, Callable
from pathlib import Path

from core.errors import SegueError
from core.limited_log import LimitedLog
from engine.beside_log import BesideLog
from engine.health import Health
from events.writer import EventWriter

LOG = logging.getLogger("segue")
LOOK_S = 0.5
"""Time between two looks at the log's place, in seconds."""
STALLED_S = 10.0
"""A sync that takes longer than this is said to be stalled, in seconds."""
LITTLE_ROOM = 1 << 20
"""Free bytes below which a look also tries to write."""


class LogKeeper:
    """The keeper of one log, on the server's loop and in threads.

    Args:
        log: The log.
        beside: What lies beside it.
        fsync_s: Time between two syncs, in seconds.
        now_s: Seconds on a clock that never goes back.
    """

    def __init__(
        self, log: EventWriter, beside: BesideLog, fsync_s: float, now_s: Callable[[], float]
    ) -> None:
        self._log = log
        self._beside = beside
        self._fsync_s = fsync_s
        self._now_s = now_s
        self._sync_fault: str | None = None
        self._sync_began_s: float | None = None
        self._look_fault: str | None = None
        self._shortage: str | None = None
        self._said = LimitedLog(LOG, now_s)

    def report_to(self, health: Health) -> None:
        """Add the probes of all that can be wrong with the log."""
        # A disk at its end still takes a short line: only a look that finds room ends a shortage.
        health.block("log_unwritable", lambda: self._log.fault or self._shortage)
        health.warn("fsync_failing", self._find_sync_fault)
        health.warn("log_not_watched", lambda: self._look_fault)
        health.warn("log_not_rotated", lambda: self._log.next_fault)
        health.warn("log_incomplete", lambda: self._beside.fault)

    async def run(self) -> None:
        """Sync and look until the task is cancelled."""
        await asyncio.gather(
            _repeat(self.sync, self._fsync_s, self._said), _repeat(self.look, LOOK_S, self._said)
        )

    async def sync(self) -> None:
        """Sync the log to the disk once."""
        self._sync_began_s = self._now_s()
        try:
            await asyncio.to_thread(self._log.sync)
        except Exception as error:  # also a thread that cannot start
            self._sync_fault = (
                f"{self._log.path}: cannot be synced to the disk: {error}. The server tries again; "
                "until then a power cut loses events, a killed process does not"
            )
            self._said.error("sync", "%s", self._sync_fault)
        else:
            if self._sync_fault is not None:
                LOG.warning("%s: is synced to the disk again", self._log.path)
            self._sync_fault = None
        finally:
            self._sync_began_s = None

    async def look(self) -> None:
        """Look once whether the log is where it was, and takes content; repair what can be."""
        path = self._log.path
        try:
            displaced, shortage = await asyncio.to_thread(self._inspect)
        except Exception as error:
            self._look_fault = f"{path}: cannot be watched: {error}. The server tries again"
            self._said.error("look", "%s", self._look_fault)
            return
        self._look_fault = None
        if self._log.path != path:  # an append has begun a new file meanwhile
            return
        why = displaced or self._log.find_damage()
        if why is not None:
            try:
                self._log.begin_new_file(why)
            except (OSError, SegueError):
                return  # the log said so, and `fault` holds it
        if shortage is not None:
            self._said.error("room", "%s. The server answers 503 until it does", shortage)
        self._log.fault = None
        self._shortage = shortage

    def _inspect(self) -> tuple[str | None, str | None]:
        """Look, in a thread: give what happened to the file, and why it takes no content."""
        displaced = self._log.find_displacement()
        if displaced is not None:
            return displaced, None
        self._beside.keep()
        known = self._log.fault or self._shortage
        doubtful = known is not None or _has_little_room(self._log.folder)
        return None, self._log.find_shortage() if doubtful else None

    def _find_sync_fault(self) -> str | None:
        began_s = self._sync_began_s
        if began_s is not None and (waited_s := self._now_s() - began_s) > STALLED_S:
            return f"{self._log.path}: the disk has not finished a sync for {waited_s:.0f} s"
        return self._sync_fault


async def _repeat(step: Callable[[], Awaitable[None]], every_s: float, said: LimitedLog) -> None:
    """Repeat a step; no failure ends it."""
    while True:
        await asyncio.sleep(every_s)
        try:
            await step()
        except Exception as error:
            said.error("keeper", "the event log's keeper failed, and goes on", exc_info=error)


def _has_little_room(folder: Path) -> bool:
    return shutil.disk_usage(folder).free < LITTLE_ROOM
