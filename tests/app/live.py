"""Our server in a thread, on a socket that listens, and raw connections to it."""

import socket
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from app.application import create_app
from app.server import Server
from tests.service import Clock, loaded

PATIENCE_S = 60


class LiveServer(Server):
    """A server that says when it is up."""

    is_up: threading.Event

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()


class Live:
    """A running server and its port.

    Attributes:
        server: The server.
        port: Its port on 127.0.0.1.
        folder: Folder of its config.
    """

    def __init__(self, server: LiveServer, port: int, folder: Path) -> None:
        self.server = server
        self.port = port
        self.folder = folder

    def connect(self) -> socket.socket:
        """Open a connection whose client waits for answers as long as any test may."""
        connection = socket.create_connection(("127.0.0.1", self.port), PATIENCE_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return connection

    def exchange(self, *sends: bytes) -> bytes:
        """Send, then read until the server closes."""
        with self.connect() as connection:
            for each in sends:
                connection.sendall(each)
            return read_all(connection)


def read_all(connection: socket.socket) -> bytes:
    """Read until the peer closes."""
    parts = []
    while part := connection.recv(65536):
        parts.append(part)
    return b"".join(parts)


@contextmanager
def live(
    folder: Path,
    before: Callable[[int], object] | None = None,
    operations: socket.socket | None = None,
    hosts: Sequence[str] | None = None,
    **sections: Any,
) -> Iterator[Live]:
    """Run a server over the small world, with these sections of config.

    `before` gets the port before the server starts; its connections wait for the server.
    `operations` is the listening socket of operations, `hosts` the names to check.
    """
    listening = socket.create_server(("127.0.0.1", 0))
    if before is not None:
        before(listening.getsockname()[1])
    runtime = loaded(folder, **sections)
    server = LiveServer(create_app(runtime, Clock(), operations, hosts), runtime.settings.server)
    server.is_up = threading.Event()
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        assert server.is_up.wait(PATIENCE_S), "the server did not start"
        yield Live(server, listening.getsockname()[1], folder)
    finally:
        server.should_exit = True
        thread.join(PATIENCE_S)
        assert not thread.is_alive(), "the server did not stop"


def post(path: str, body: bytes, *headers: str, version: str = "1.1") -> bytes:
    """Format a request with a JSON body."""
    head = [
        f"POST {path} HTTP/{version}",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    ]
    return "\r\n".join(head).encode() + b"\r\n\r\n" + body


def get(path: str, *headers: str, method: str = "GET", version: str = "1.1") -> bytes:
    """Format a request without a body."""
    head = [f"{method} {path} HTTP/{version}", "Host: 127.0.0.1", *headers]
    return "\r\n".join(head).encode() + b"\r\n\r\n"
