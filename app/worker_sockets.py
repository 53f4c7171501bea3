"""Listening sockets of several workers on one port; the parent keeps them open."""

import socket
import sys

from app.listening import BACKLOG, listen

SPREADS = sys.platform == "linux"
"""True where the kernel spreads connections over the sockets of one port (SO_REUSEPORT)."""


class WorkerSockets:
    """One listening socket for each worker.

    With a socket for each worker the kernel spreads connections by a hash of their addresses. A
    connection that waits in a dead worker's backlog is still there for its successor, because the
    parent holds the same socket. Where the kernel does not spread, all workers share one socket.

    Args:
        host: Name or address of this machine.
        port: Port, 0 for a free one.
        count: Number of workers.
        each_own: Whether each worker gets a socket of its own.

    Raises:
        SegueError: The address is not one of this machine, or the port is taken.
    """

    def __init__(self, host: str, port: int, count: int, each_own: bool = SPREADS) -> None:
        # Taken without SO_REUSEPORT, so that a second server on the same port is refused.
        first = listen(host, port)
        self._each_own = each_own
        self._sockets: dict[int, socket.socket] = {}
        if not each_own:
            self._holder = first
            return
        with first:
            first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            # It never listens, so it gets no connection. It holds the port while a socket is shut.
            self._holder = _beside(first)
            for slot in range(count):
                self.open(slot)
                self.listen(slot)

    @property
    def any(self) -> socket.socket:
        """One of the sockets, for the address."""
        return self._holder

    def open(self, slot: int) -> None:
        """Bind the socket of a slot, unless it is open already; it gets no connection yet.

        Raises:
            OSError: The system refuses.
        """
        if self._each_own and slot not in self._sockets:
            self._sockets[slot] = _beside(self._holder)

    def listen(self, slot: int) -> None:
        """Let connections come to a slot, whose worker is about to accept them."""
        if slot in self._sockets:
            self._sockets[slot].listen(BACKLOG)

    def close(self, slot: int) -> None:
        """Close the socket of a slot, so that new connections go to the remaining workers.

        The kernel resets the connections that wait in its backlog.
        """
        if slot in self._sockets:
            self._sockets.pop(slot).close()

    def keep_only(self, slot: int) -> socket.socket:
        """Give a forked process the socket of its slot, and close the others."""
        if not self._each_own:
            return self._holder
        mine = self._sockets.pop(slot)
        self.close_all()
        return mine

    def close_all(self) -> None:
        """Close all sockets, and free the port."""
        for slot in list(self._sockets):
            self.close(slot)
        self._holder.close()


def _beside(other: socket.socket) -> socket.socket:
    """Bind a socket to the address of another one."""
    bound = socket.socket(other.family)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        bound.bind(other.getsockname())
    except BaseException:
        bound.close()
        raise
    return bound
