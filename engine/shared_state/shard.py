"""One Redis master as the dispatcher sees it: there, late, or away; it comes back by itself.

The breaker: a group that gets no reply in time makes the shard late. A late shard gets no turns, so
that no request waits for it in vain, until all its replies have come. If it fails again and again,
it rests for a while. If it stays silent for a second, it gets a new connection.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from time import monotonic

from engine.shared_state.background import end
from engine.shared_state.connecting import PROBLEMS
from engine.shared_state.link import Group, Link

LOG = logging.getLogger("segue")
SILENCE_S = 1.0
"""Silence of a late connection after which we cut it, in seconds."""
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 1.0
MANY = 3
"""Late groups in a row after which the shard rests for `LONGEST_PAUSE_S`."""

Connect = Callable[[Callable[[Link], None]], Awaitable[Link]]


class Shard:
    """One master.

    Args:
        name: Its name, for the log.
        connect: Sets up a connection; finds the master first, where that may change.

    Attributes:
        problem: Why it takes no turns; None if it does.
        outages: Number of times that it went away.
    """

    def __init__(self, name: str, connect: Connect) -> None:
        self.name = name
        self.problem: str | None = "not connected yet"
        self.outages = 0
        self.link: Link | None = None
        self._connect = connect
        self._late_in_a_row = 0
        self._closing = False
        self._rests_until_s = 0.0
        self._since_s = 0.0
        self._changed = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Connect, and stay connected until `close`."""
        self._keeping = asyncio.create_task(self._stay_connected())

    async def ready(self, within_s: float) -> bool:
        """Wait for the first connection; return whether there is one in time."""
        deadline_s = monotonic() + within_s
        while self.link is None and (left_s := deadline_s - monotonic()) > 0:
            self._changed.clear()
            try:
                await asyncio.wait_for(self._changed.wait(), left_s)
            except TimeoutError:
                break
        return self.link is not None

    async def close(self) -> None:
        """Close the connection."""
        self._closing = True
        if self._keeping is not None:
            await end(self._keeping)
        if self.link is not None:
            self.link.close()

    @property
    def takes_turns(self) -> bool:
        """True if a turn may be sent: connected, and not late."""
        return self.problem is None

    def send(self, group: Group, commands: bytes) -> None:
        """Send a group; call it only if the shard takes turns, or for what may be lost."""
        if self.link is None or self.link.lost:
            group.lost()
        else:
            self.link.send(group, commands)

    def in_time(self) -> None:
        """Learn that a group got its replies in time."""
        self._late_in_a_row = 0

    def late(self) -> None:
        """Learn that a group got no reply in time."""
        self._late_in_a_row += 1
        if self._late_in_a_row >= MANY:
            self._rests_until_s = monotonic() + LONGEST_PAUSE_S
        self._trouble("no reply in time")

    def drop(self, why: str) -> None:
        """Cut the connection, and find the master again."""
        self._trouble(why)
        if self.link is not None:
            self.link.close()

    def _trouble(self, why: str) -> None:
        if self.problem is None and not self._closing:
            self.outages += 1
            self._since_s = monotonic()
            LOG.warning("redis %s: %s; turns are decided without state until it is back",
                        self.name, why)  # fmt: skip
        self.problem = why
        self._changed.set()

    def _link_changed(self, link: Link) -> None:
        """Take turns again when the last reply has come; learn of a loss."""
        if link is not self.link:
            return
        if link.lost:
            self._trouble("the connection is lost")
        elif self.problem is not None and not link.waiting and monotonic() >= self._rests_until_s:
            self._recovered()

    def _recovered(self) -> None:
        if self._since_s:
            LOG.info("redis %s: back after %.1f s", self.name, monotonic() - self._since_s)
        self.problem = None
        self._changed.set()

    async def _stay_connected(self) -> None:
        pause_s = FIRST_PAUSE_S
        while True:
            try:
                self.link = await self._connect(self._link_changed)
            except PROBLEMS as error:
                if self.problem != str(error):
                    LOG.warning("redis %s: %s", self.name, error)
                self.problem = str(error) or type(error).__name__
                await asyncio.sleep(pause_s)
                pause_s = min(LONGEST_PAUSE_S, pause_s * 2)
                continue
            pause_s = FIRST_PAUSE_S
            if monotonic() >= self._rests_until_s:
                self._recovered()
            await self._watch(self.link)

    async def _watch(self, link: Link) -> None:
        """Watch a connection until it is lost; cut it when it stays late."""
        while not link.lost:
            self._changed.clear()
            if self.problem is None:
                await self._changed.wait()
                continue
            late_since_s = monotonic()
            while self.problem is not None and not link.lost:
                await asyncio.sleep(FIRST_PAUSE_S)
                if not link.waiting and monotonic() >= self._rests_until_s:
                    self._recovered()
                elif link.waiting and monotonic() - late_since_s > SILENCE_S:
                    link.close()
                    await asyncio.sleep(0)
