"""One HTTP/1.1 connection: kept alive, with one request under way at a time, and nothing more.

A general HTTP client spends several times the CPU that the server under load spends on a request.
"""

import asyncio
import ssl
from typing import Protocol
from urllib.parse import urlsplit

import httptools

from core.errors import InputError


class Address:
    """Address of a server.

    Args:
        url: http:// or https://, host, port unless it is the default, and a common path prefix.

    Raises:
        InputError: The URL is malformed.
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
        """Build a whole request as bytes."""
        head = f"{method} {self.path}{path} HTTP/1.1\r\nHost: {self.netloc}\r\n"
        if key:
            head += f"Idempotency-Key: {key}\r\n"
        if body:
            head += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return head.encode() + b"\r\n" + body


class Caller(Protocol):
    """Receives the outcome of a request: exactly one of the two calls for each request."""

    def on_response(self, connection: "HttpConnection", status: int, body: bytes) -> None:
        """Take a complete response."""

    def on_failure(self, connection: "HttpConnection", kind: str, was_sent: bool) -> None:
        """Take a failure and its kind.

        `was_sent` is false only if the server certainly received nothing.
        """


class HttpConnection:
    """A connection that opens at the first request, and again after it was closed.

    Args:
        address: Address of the server.
        caller: Receives the outcome of each request.
        loop: Event loop of the connection.
        slot: Number by which the caller recognises the connection.
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
        """Send a request; the caller receives the outcome later, never during this call."""
        assert not self.waiting, "one request at a time"
        self.waiting = True
        self.sent_at_s = self._loop.time()
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(request)
        else:
            self._opening = self._loop.create_task(self._open(request))

    def give_up(self, kind: str) -> None:
        """Stop waiting for the response; a late one is dropped."""
        opening, self._opening = self._opening, None
        if opening is not None:
            opening.cancel()
        self._fail(kind, True)

    def close(self) -> None:
        """Close the connection, and drop the request under way without a word to the caller."""
        self.waiting = False
        if self._opening is not None:
            self._opening.cancel()
            self._opening = None
        self._disconnect()

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

    def on_data(self, reader: "_Reader", data: bytes) -> None:
        """Parse bytes, unless they came on a connection that was closed meanwhile."""
        if reader.transport is not self._transport or self._parser is None:
            return
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserError:
            self._fail("no HTTP", True)

    def on_lost(self, reader: "_Reader", error: Exception | None) -> None:
        """Report a lost connection, unless it is an earlier one."""
        if reader.transport is self._transport and self._transport is not None:
            self._fail(_kind_of(error) if error else "connection closed", True)

    def on_body(self, part: bytes) -> None:
        """Keep a part of the body; called by the parser."""
        self._body.append(part)

    def on_message_complete(self) -> None:
        """Hand over a complete response; called by the parser."""
        parser = self._parser
        assert parser is not None
        body = b"".join(self._body)
        self._body.clear()
        if not parser.should_keep_alive():
            self._disconnect()
        if self.waiting:
            self.waiting = False
            self._caller.on_response(self, parser.get_status_code(), body)

    def _fail(self, kind: str, was_sent: bool) -> None:
        self._disconnect()
        if self.waiting:
            self.waiting = False
            self._caller.on_failure(self, kind, was_sent)

    def _disconnect(self) -> None:
        transport, self._transport = self._transport, None
        self._parser = None
        if transport is not None:
            transport.abort()


class _Reader(asyncio.Protocol):
    """Reads one transport, so that late bytes of an old one never count for its successor."""

    def __init__(self, connection: HttpConnection) -> None:
        self.connection = connection
        self.transport: asyncio.BaseTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.connection.on_data(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        self.connection.on_lost(self, exc)


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
