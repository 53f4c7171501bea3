"""Servers for tests: ours in a thread, and one whose replies a test chooses, even silence."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import uvicorn

from app.application import create_app
from tests.service import loaded

HANG_UP = object()
SILENCE = object()


@dataclass
class Asked:
    """A request as the server saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclass
class Made:
    """A server made for a test: its address, and the requests it got."""

    url: str
    asked: list[Asked] = field(default_factory=list)


def answer(value: Any, status: int = 200, form: str = "length") -> bytes:
    """An answer as bytes: with its length, in chunks, or ended by closing."""
    body = value if isinstance(value, bytes) else json.dumps(value).encode()
    head = f"HTTP/1.1 {status} Whatever\r\nContent-Type: application/json\r\n"
    if form == "chunked":
        half = len(body) // 2
        parts = [body[:half], body[half:]]
        chunks = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in parts if part)
        return f"{head}Transfer-Encoding: chunked\r\n\r\n".encode() + chunks + b"0\r\n\r\n"
    if form == "close":
        head += "Connection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@contextmanager
def made(reply: Callable[[Asked, int], Any]) -> Iterator[Made]:
    """Run a server that replies to its n-th request, from 0, without the greeting.

    A reply is bytes, `HANG_UP` or `SILENCE`. It answers a greeting by itself.
    """
    listening = socket.create_server(("127.0.0.1", 0))
    server = Made(f"http://127.0.0.1:{listening.getsockname()[1]}")
    one_at_a_time = threading.Lock()
    sockets: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def accept() -> None:
        while True:
            try:
                connection, _ = listening.accept()
            except OSError:
                return
            sockets.append(connection)
            threads.append(threading.Thread(target=serve, args=(connection,), daemon=True))
            threads[-1].start()

    def serve(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as reader, suppress(OSError, ValueError):
            while line := reader.readline().decode():
                replied = talk(line, reader)
                if replied is HANG_UP:
                    return
                if replied is not SILENCE:
                    connection.sendall(replied)
                    if b"Connection: close" in replied:
                        return

    def talk(line: str, reader: BinaryIO) -> Any:
        method, path, _ = line.split()
        headers: dict[str, str] = {}
        while line := reader.readline().decode().strip():
            name, _, value = line.partition(": ")
            headers[name.lower()] = value
        body = reader.read(int(headers.get("content-length", 0)))
        if method == "GET":
            return answer({"config": "made"})
        with one_at_a_time:
            asked = Asked(method, path, headers, json.loads(body))
            server.asked.append(asked)
            return reply(asked, len(server.asked) - 1)

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield server
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        accepting.join(10)
        for each in sockets:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(10)


@contextmanager
def serving(folder: Path, **sections: Any) -> Iterator[str]:
    """Our server, freshly started over the small world; gives its address."""
    listening = socket.create_server(("127.0.0.1", 0))
    app = create_app(loaded(folder, **sections))
    server = _SignallingServer(uvicorn.Config(app, log_level="error", access_log=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    try:
        assert server.is_up.wait(60), "the server did not start"
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


class _SignallingServer(uvicorn.Server):
    """A server that signals its start."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.is_up = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.is_up.set()
