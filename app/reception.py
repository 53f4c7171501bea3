"""The part that all connections share: limits, one timer for deadlines, one head a second."""

import asyncio
from dataclasses import dataclass
from typing import Protocol

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from app.hosts import HostCheck
from app.responses import NO_SNIFF
from app.turn_batches import TurnBatches

STATE = "segue.door"
"""Key of the `Reception` in the lifespan's state, where uvicorn hands it to each connection."""
SWEEP_S = 0.1
"""Time between two checks of all deadlines, in seconds."""


class Connection(Protocol):
    """A connection with deadlines."""

    def check_deadline(self, now_s: float) -> None:
        """Close if the client was silent or slow for too long; `now_s` is on the loop's clock."""

    def leave(self) -> None:
        """Close with the next answer."""


@dataclass(slots=True)
class Limits:
    """The limits of a connection, and of the number of connections.

    Attributes:
        request_timeout_s: Time for a request to arrive whole, from its first byte, in seconds.
        keep_alive_s: Time that a connection may be silent between requests, in seconds.
        connections: Connections at once.
    """

    request_timeout_s: float = 10.0
    keep_alive_s: float = 5.0
    connections: int = 10_000


class Reception:
    """The part that all connections of one server share.

    Args:
        batches: Answers the calls of hot routes.
        limits: The limits of each connection, and of their number.
        loop: The server's loop.
        hosts: Checks the Host header; None if any may stand there.
    """

    def __init__(
        self,
        batches: TurnBatches,
        limits: Limits,
        loop: asyncio.AbstractEventLoop,
        hosts: HostCheck | None = None,
    ) -> None:
        self.batches = batches
        self.hosts = hosts
        self.limits = limits
        self._loop = loop
        self._connections: set[Connection] = set()
        self._is_leaving = False
        self._sweep_handle: asyncio.TimerHandle | None = None
        self._heads: tuple[object, bytes, bytes] = (None, b"", b"")

    def enter(self, connection: Connection) -> int:
        """Watch a connection; return how many there are beyond the limit."""
        self._connections.add(connection)
        if self._is_leaving:
            connection.leave()
        if self._sweep_handle is None:
            self._sweep_handle = self._loop.call_later(SWEEP_S, self._sweep)
        return len(self._connections) - self.limits.connections

    def leave(self, connection: Connection) -> None:
        """Forget a connection that is closed."""
        self._connections.discard(connection)

    def close_with_next_answers(self) -> None:
        """Close each connection with its next answer, and one that is being made with its first."""
        self._is_leaving = True
        for connection in list(self._connections):
            connection.leave()

    def _sweep(self) -> None:
        """Close the connections whose time is over; one timer for all of them."""
        now_s = self._loop.time()
        for connection in list(self._connections):
            connection.check_deadline(now_s)
        self._sweep_handle = (
            self._loop.call_later(SWEEP_S, self._sweep) if self._connections else None
        )

    def heads(self, headers: list[tuple[bytes, bytes]]) -> tuple[object, bytes, bytes]:
        """Give the header lines of every answer, and the head of a 200 up to its length.

        Both are made once a second, when uvicorn makes a new list of headers with a new date.
        """
        heads = self._heads
        if heads[0] is not headers:
            every = b"".join(b"%b: %b\r\n" % pair for pair in headers)
            ok = b"%b%bcontent-type: application/json\r\n%b: %b\r\ncontent-length: " % (
                STATUS_LINE[200],
                every,
                *NO_SNIFF,
            )
            heads = self._heads = headers, every, ok
        return heads
