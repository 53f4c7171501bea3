"""One HTTP/1.1 connection, kept alive, with one request under way at a time: no more than that.

General clients cost several times what a request costs the server that is being driven.
"""

import asyncio
import ssl
from typing import Protocol
from urllib.parse import urlsplit

import httptools

from core.errors import InputError


class Address:
    """Where a server listens.

    Args:
        url: http:// or https://, host, port if not the usual one, and a path that all begin with.

    Raises:
        InputError: That is no such address.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError as error:
            raise InputError.one("--recommender", f"{url}: has no port from 1 to 65535") from error
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise InputError.one("--recommender", f"{url}: must be http://HOST:PORT")
        self.url = url.rstrip("/")
        self.host = parts.hostname
        self.port = port or (443 if parts.scheme == "https" else 80)
        self.path = parts.path.rstrip("/")
        self.tls = ssl.create_default_context() if parts.scheme == "https" else None
        self.netloc = parts.netloc.rpartition("@")[2]

    def request(self, method: str, path: str, body: bytes = b"", key: str = "") -> bytes:
        """A whole request as bytes."""
        head = f"{method} {self.path}{path} HTTP/1.1\r\nHost: {self.netloc}\r\n"
        if key:
            head += f"Idempotency-Key: {key}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return head.encode() + b"\r\n" + body


class Caller(Protocol):
    """Who sent a request and learns what came of it; one of the two, once a request."""

    def answered(self, wire: "HttpConnection", status: int, body: bytes) -> None:
        """A whole answer came."""

    def failed(self, wire: "HttpConnection", kind: str, was_sent: bool) -> None:
        """No answer came, and why; `was_sent` unless the server certainly saw nothing of it."""


class HttpConnection:
    """A connection that opens when something is to be sent, and again when it was closed.

    Args:
        address: Of the server.
        caller: Told what comes of each request.
        loop: Runs it.
        slot: The caller's own mark.
    """

    def __init__(
        self, address: Address, caller: Caller, loop: asyncio.AbstractEventLoop, slot: int = 0
    ) -> None:
        self.slot = slot
        self.sent_at_s = 0.0
        self.waiting = False
        self._address = address
        self._caller = caller
        self._loop = loop
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._opening: asyncio.Task[None] | None = None
        self._body: list[bytes] = []

    def send(self, request: bytes) -> None:
        """Send a request; the caller is told what came of it later, never from within."""
        assert not self.waiting, "one request at a time"
        self.waiting = True
        self.sent_at_s = self._loop.time()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(request)
        else:
            self._opening = self._loop.create_task(self._open(request))

    def give_up(self, kind: str) -> None:
        """Wait no longer; what comes late belongs to nobody."""
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.cancel()
        self._fail(kind, True)

    def close(self) -> None:
        """Close the connection; a request under way is forgotten."""
        self.waiting = False
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        self._hang_up()

    async def _open(self, request: bytes) -> None:
        address = self._address
        try:
            transport, _ = await self._loop.create_connection(
                lambda: _Reader(self), address.host, address.port, ssl=address.tls
            )
        except OSError as error:
            self._opening = None
            self._fail(_kind_of(error), False)
            return
        self._opening = None
        self._transport = transport
        self._parser = httptools.HttpResponseParser(self)
        self._body.clear()
        transport.write(request)

    def heard(self, ear: "_Reader", data: bytes) -> None:
        """Bytes came on a connection, which may be one that was hung up."""
        if ear.transport is not self._transport or self._parser is None:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail("no HTTP", True)

    def lost(self, ear: "_Reader", error: Exception | None) -> None:
        """A connection is gone."""
        if ear.transport is self._transport and self._transport is not None:
            self._fail(_kind_of(error) if error else "connection closed", True)

    def on_body(self, part: bytes) -> None:
        """The parser found a part of the body."""
        self._body.append(part)

    def on_message_complete(self) -> None:
        """The parser found the end of an answer."""
        parser = self._parser
        assert parser is not None
        body = b"".join(self._body)
        self._body.clear()
        if not parser.should_keep_alive():
            self._hang_up()
        if self.waiting:
            self.waiting = False
            self._caller.answered(self, parser.get_status_code(), body)

    def _fail(self, kind: str, was_sent: bool) -> None:
        self._hang_up()
        if self.waiting:
            self.waiting = False
            self._caller.failed(self, kind, was_sent)

    def _hang_up(self) -> None:
        transport, self._transport = self._transport, None
        self._parser = None
        if transport is not None:
            transport.abort()


class _Reader(asyncio.Protocol):
    """Hears one connection, so that a late word of an old one is not taken for the new one's."""

    def __init__(self, wire: HttpConnection) -> None:
        self.wire = wire
        self.transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.wire.heard(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.wire.lost(self, exc)


def _kind_of(error: Exception) -> str:
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    if isinstance(error, ConnectionResetError | BrokenPipeError):
        return "connection reset"
    if isinstance(error, ssl.SSLError):
        return f"TLS: {error.reason}"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return type(error).__name__
