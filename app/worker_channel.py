"""The channel between the parent and a worker: one JSON object per line over a socket pair."""

import asyncio
import os
import signal
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson

from app.reload import Reloaded
from core.errors import Fault, InputError, SegueError


class Channel:
    """The parent's end; it never waits for a worker.

    Attributes:
        is_open: Whether the worker still has its end.
    """

    def __init__(self, end: socket.socket) -> None:
        end.setblocking(False)
        self._end = end
        self._part = b""
        self.is_open = True

    def fileno(self) -> int:
        """Give the descriptor, for a selector."""
        return self._end.fileno()

    def send(self, message: dict[str, Any]) -> None:
        """Send a message; a worker that died or hangs gets none."""
        try:
            self._end.send(orjson.dumps(message) + b"\n")
        except OSError:
            self.is_open = False

    def receive(self) -> list[dict[str, Any]]:
        """Give the messages that have arrived whole."""
        if not self.is_open:
            return []
        try:
            while part := self._end.recv(65536):
                self._part += part
            self.is_open = False
        except BlockingIOError:
            pass
        except OSError:
            self.is_open = False
        *lines, self._part = self._part.split(b"\n")
        return [orjson.loads(line) for line in lines]

    def close(self) -> None:
        """Close the parent's end."""
        self.is_open = False
        self._end.close()


class ParentLink:
    """The worker's end: it reports that it is ready, and asks the parent for reloads.

    Args:
        end: The worker's end of the socket pair.
        number: Number of the worker, which no other worker of this parent has had.

    Attributes:
        failure: Why the last reload failed; None if it did not.
        is_gone: Whether the parent has ended.
        on_leave: Called when a successor has taken the worker's place.
    """

    def __init__(self, end: socket.socket, number: int) -> None:
        self.number = number
        self.failure: str | None = None
        self.is_gone = False
        self.on_leave: Callable[[], object] = lambda: None
        self._end = end
        self._writer: asyncio.StreamWriter | None = None
        self._go: asyncio.Future[None]
        self._waiting: dict[int, asyncio.Future[Reloaded]] = {}
        self._asked = 0

    @asynccontextmanager
    async def serving(self, digest: str) -> AsyncIterator[None]:
        """Report that the worker is ready with this config; begin when the parent lets it in.

        Raises:
            SegueError: The parent does not let the worker in.
        """
        reader, self._writer = await asyncio.open_connection(sock=self._end)
        self._go = asyncio.get_running_loop().create_future()
        reading = asyncio.create_task(self._read(reader))
        self._send({"ready": digest})
        await self._go
        try:
            yield
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)
            self._writer.close()

    async def reload(self, cause: str) -> Reloaded:
        """Ask the parent for a reload of all workers, and wait for its outcome.

        Raises:
            InputError: All faults of the config; the workers before still serve.
        """
        self._asked += 1
        outcome = self._waiting[self._asked] = asyncio.get_running_loop().create_future()
        self._send({"reload": self._asked, "cause": cause})
        reloaded: Reloaded = await outcome
        return reloaded

    def _send(self, message: dict[str, Any]) -> None:
        assert self._writer is not None, "a worker enters before it sends anything else"
        self._writer.write(orjson.dumps(message) + b"\n")

    async def _read(self, reader: asyncio.StreamReader) -> None:
        """Take the parent's messages; when the parent is gone, stop as on SIGTERM."""
        while line := await reader.readline():
            message = orjson.loads(line)
            if "failure" in message:
                self.failure = message["failure"]
            if "go" in message:
                self._go.set_result(None)
            if "leave" in message:
                self.on_leave()
                self._send({"left": True})
            if "outcome" not in message:
                continue
            if (outcome := self._waiting.pop(message["outcome"], None)) is not None:
                _settle(outcome, message)
        self.is_gone = True
        if not self._go.done():
            self._go.set_exception(SegueError("the parent did not let this worker in"))
        else:
            os.kill(os.getpid(), signal.SIGTERM)


def _settle(outcome: "asyncio.Future[Reloaded]", message: dict[str, Any]) -> None:
    if outcome.done():
        return  # its client went away
    if "faults" in message:
        outcome.set_exception(InputError(Fault(*fault) for fault in message["faults"]))
    else:
        outcome.set_result(Reloaded(message["before"], message["served"]))
