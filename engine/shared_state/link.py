"""One connection to Redis: groups of commands go out, and each group gets its own replies.

Redis answers a connection's commands in their order. So a group waits in a queue until all its
replies have come, also when nobody wants them any more: a reply never reaches a later group.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from time import monotonic
from typing import Any, Protocol

from engine.shared_state.wire import Replies

LOG = logging.getLogger("segue")


class Group(Protocol):
    """Commands that are sent together.

    Attributes:
        size: Number of replies to them.
    """

    size: int

    def arrived(self, replies: Sequence[Any]) -> None:
        """Take the replies, in the order of the commands."""

    def lost(self) -> None:
        """Learn that the connection is gone; nobody knows which commands were executed."""


class Link(asyncio.Protocol):
    """One connection.

    Args:
        parser: Parses its replies.
        on_change: Called when the last waiting group got its replies, and when the link is lost.

    Attributes:
        lost: Whether the connection is gone.
        clock_ahead_ms: Redis' Unix time in ms minus this process' monotonic time in ms.
    """

    def __init__(self, parser: Replies, on_change: Callable[["Link"], None]) -> None:
        self.lost = False
        self.clock_ahead_ms = 0.0
        self._parser = parser
        self._on_change = on_change
        self._waiting: deque[tuple[Group, list[Any]]] = deque()
        self._transport: asyncio.WriteTransport | None = None

    def take_over(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Use a connection that is set up already; nothing may be under way on it."""
        self._streams = reader, writer  # a writer that nobody holds closes its transport
        transport = self._transport = writer.transport
        transport.set_protocol(self)

    @property
    def waiting(self) -> int:
        """Number of groups whose replies have not all come."""
        return len(self._waiting)

    def set_clock(self, redis_ms: float) -> None:
        """Learn what Redis' clock says now."""
        self.clock_ahead_ms = redis_ms - monotonic() * 1000

    def send(self, group: Group, commands: bytes) -> None:
        """Send a group of commands; the group gets the replies, or learns of the loss."""
        self._waiting.append((group, []))
        assert self._transport is not None
        self._transport.write(commands)

    def close(self) -> None:
        """Close the connection at once; the waiting groups learn of it."""
        if self._transport is not None:
            self._transport.abort()

    def data_received(self, data: bytes) -> None:
        """Give the replies that are whole to their groups."""
        parser, waiting = self._parser, self._waiting
        parser.feed(data)
        while waiting:
            group, replies = waiting[0]
            while len(replies) < group.size:
                reply = parser.gets()
                if reply is False:
                    return
                replies.append(reply)
            waiting.popleft()
            group.arrived(replies)
        self._on_change(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the waiting groups."""
        self.lost = True
        waiting, self._waiting = self._waiting, deque()
        self._on_change(self)
        for group, _ in waiting:
            group.lost()
