"""The door: a subclass of uvicorn's protocol that answers our hot routes in the parser's callbacks.

A turn needs no task, no scope and no send(): a request that arrived whole goes into the batch of
the loop's iteration (`app.turn_batches`). All remaining requests, and unusual ones (Expect, a
request pipelined behind an unfinished one), take the path of plain ASGI. Both paths give the same
bytes; tests/app/test_door.py compares them. The door adds deadlines, a limit of connections and a
prompt stop.
"""

import asyncio
import re
from collections.abc import Sized
from time import perf_counter
from typing import Any

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import (
    STATUS_LINE,
    HttpToolsProtocol,
    RequestResponseCycle,
)

from app.bodies import too_large
from app.errors import ApiError
from app.handlers import ROUTES, USER_ROUTES, Call, Route
from app.hosts import HostCheck
from app.reception import STATE, Reception
from app.requests import MAX_BODY
from app.responses import NO_SNIFF, HttpResponse

LINGER_S = 1.0
"""Time that a refused connection stays open, so that its client reads the answer, in seconds."""
MAX_HEAD = 64 * 1024
"""Bytes that may arrive before a request's head is whole, beside those of one read."""
MAX_REQUEST = 1024 * 1024
"""Bytes of a request, whole: the longest body in chunks of one byte has 0.4 MB."""
_CROWD = 1_000
"""Refused connections that may stay open; the server cuts any beyond them without an answer."""
_ROUTES = {path.encode(): route for path, route in ROUTES.items()}
_USER_ROUTES = {path.encode(): route for path, route in USER_ROUTES.items()}
_LENGTHS = [b"%d\r\n\r\n" % size for size in range(2048)]
"""Content-Length's value and the head's end, by size: a turn's answer has some 200 bytes."""
_is_plain = re.compile(rb"[A-Za-z0-9_.~-]+\Z").match
_NO_SNIFF = b"%b: %b\r\n" % NO_SNIFF
_UPGRADE_HEADERS = frozenset({b"upgrade", b"http2-settings"})


class _OwnCycle:
    """A turn under way, in the place where uvicorn looks for its request-response cycle."""

    __slots__ = (
        "disconnected",
        "keep_alive",
        "message_event",
        "response_complete",
        "response_started",
    )

    def __init__(self) -> None:
        self.response_complete = True
        self.response_started = False
        self.disconnected = False
        self.keep_alive = True
        self.message_event = _NO_EVENT


class _LastCycle(_OwnCycle):
    """The cycle of a connection that closes with its next answer."""

    __slots__ = ()

    @property
    def keep_alive(self) -> bool:
        """Always False, whatever the client wants."""
        return False

    @keep_alive.setter
    def keep_alive(self, wanted: bool) -> None:
        pass


class _NoEvent:
    """An event that nobody waits for."""

    def set(self) -> None:
        """Wake nobody."""


_NO_EVENT = _NoEvent()


class _Flow(FlowControl):
    """Flow control that reads no more while requests wait for their turn, or answers for a client.

    uvicorn reads on before each of them, so a client that sends and never reads fills the memory.
    """

    def __init__(self, transport: asyncio.Transport, waiting: Sized) -> None:
        super().__init__(transport)
        self._waiting = waiting

    def resume_reading(self) -> None:
        """Read again, if nothing waits."""
        if not self._waiting and not self.write_paused:
            super().resume_reading()


class Door(HttpToolsProtocol):
    """One connection.

    Attributes:
        receiving: Whether a request has begun to arrive and is not whole.
        since_s: When that began, or when the connection fell idle, on the loop's clock.
        arrived: Bytes of that request, beside those of the read in which it began.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.reception: Reception | None = self.app_state.get(STATE)
        self.receiving = False
        self.since_s = 0.0
        self.arrived = 0
        self._has_head = False
        self._own = _OwnCycle()
        self._under_way: RequestResponseCycle | None = None
        self._paused_s = 0.0
        self._route: Route | None = None
        self._user = ""
        self._host: tuple[bytes, bytes] | None = None
        self._body = b""
        self._refused = False
        self._offers_upgrade = False
        self._has_connection_header = False

    # Connection

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection, or refuse it when the server has its full number."""
        super().connection_made(transport)
        self.flow = _Flow(transport, self.pipeline)
        self.since_s = self.loop.time()
        if self.reception is not None and (beyond := self.reception.enter(self)) > 0:
            self._refuse_connection(beyond)

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection, the request under way, and those that wait behind it."""
        if self.reception is not None:
            self.reception.leave(self)
        if self._under_way is not None:  # uvicorn knows only the newest request
            self._under_way.disconnected = True
            self._under_way.message_event.set()
        self.pipeline.clear()
        super().connection_lost(exc)

    def _refuse_connection(self, beyond: int) -> None:
        """Answer 503 and close; keep reading for a moment, so that the client gets the answer."""
        assert self.reception is not None
        self._refused = True
        if beyond > _CROWD:
            self.transport.abort()
            return
        most = self.reception.limits.connections
        error = ApiError(
            503,
            "too_many_connections",
            f"the server takes at most {most:,} connections, and all are in use; try again soon",
        )
        response = self.reception.batches.handlers.refuse(error)
        response.headers += ((b"retry-after", b"1"),)
        self.transport.write(self._message(response, keep_alive=False))
        if self.transport.can_write_eof():
            self.transport.write_eof()
        else:
            self.transport.close()

    def data_received(self, data: bytes) -> None:
        """Feed the parser."""
        if self._refused:
            return
        if self.timeout_keep_alive_task is not None:
            self._unset_keepalive_if_required()
        try:
            try:
                self.parser.feed_data(data)
            except httptools.HttpParserUpgrade as offer:
                self._ignore_offers(data[offer.args[0] :])
        except httptools.HttpParserError:
            self._refuse_request_bytes()
        if self.receiving:
            self._bound_request(len(data))

    def _bound_request(self, size: int) -> None:
        """Begin the deadline of a request that is not whole, or end a request without an end."""
        if self.since_s == 0.0:
            self.since_s = self.loop.time()
            self.arrived = 0
            return
        self.arrived += size
        if self.reception is None or self.transport.is_closing():
            return
        if not self._has_head and self.arrived > MAX_HEAD:
            message = f"a request's head must be at most {MAX_HEAD} bytes; send fewer headers"
            self._end_request(ApiError(431, "head_too_large", message))
        elif self.arrived > MAX_REQUEST:
            self._end_request(too_large())

    def _refuse_request_bytes(self) -> None:
        """Answer bytes that are not HTTP as uvicorn does, after the turns before them."""
        if self.reception is not None:
            self.reception.batches.flush()
        if self.transport.is_closing():  # the last answer said that it is the last
            return
        message = "Invalid HTTP request received."
        self.logger.warning(message)
        self.send_400_response(message)

    def _ignore_offers(self, rest: bytes) -> None:
        """Read a request that offers HTTP/2 or a websocket as one that offers nothing.

        RFC 9110, 7.8 allows that. A loop, since one packet may hold hundreds of such requests.
        """
        while self._offers_upgrade:
            again = self._without_offer(rest)
            self.parser = httptools.HttpRequestParser(self)
            self._offers_upgrade = False
            try:
                self.parser.feed_data(again)
            except httptools.HttpParserUpgrade as offer:
                rest = again[offer.args[0] :]
            else:
                return
        self._unsupported_upgrade_warning()  # CONNECT: a tunnel, answered like any method

    def _without_offer(self, rest: bytes) -> bytes:
        """Write the request's head again without its offer, before the rest of the bytes."""
        version = self.parser.get_http_version().encode()
        head = [self.parser.get_method(), b" ", self.url, b" HTTP/", version, b"\r\n"]
        for name, value in self.headers:
            if name == b"connection":
                value = _without_upgrade(value)
            if name not in _UPGRADE_HEADERS and value:
                head += [name, b": ", value, b"\r\n"]
        return b"".join([*head, b"\r\n", rest])

    # Parser callbacks

    def on_message_begin(self) -> None:
        """Begin a request; make uvicorn's scope only for a request that takes uvicorn's path."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._has_connection_header = self._has_head = False
        if not self.receiving:
            self.receiving = True
            self.since_s = 0.0

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header; ignore a trailer, which would pass for one."""
        if self._has_head:
            return
        name = name.lower()
        if name == b"connection":
            self._has_connection_header = True
        elif name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Choose the path: ours for a turn, uvicorn's for all remaining requests."""
        parser = self.parser
        if parser.should_upgrade() and parser.get_method() != b"CONNECT":
            self._offers_upgrade = True
            return
        self._has_head = True
        route = None
        if (
            self.reception is not None
            and not self.expect_100_continue
            and (self.cycle is None or self.cycle.response_complete)
            and parser.get_method() == b"POST"
        ):
            route = self._find_route(self.url)
        self._route = route
        if route is None:
            self._begin_cycle()
            return
        own = self._own
        own.response_complete = False
        own.keep_alive = parser.should_keep_alive() and not (
            self._has_connection_header and parser.get_http_version() == "1.0"
        )
        self.cycle = own  # type: ignore[assignment]
        self._body = b""

    def _find_route(self, url: bytes) -> Route | None:
        """Find our route for a path that needs no decoding, or None."""
        route = _ROUTES.get(url)
        if route is not None:
            self._user = ""
            return route
        route = _USER_ROUTES.get(url[:6])
        if route is None or not _is_plain(url, 6):
            return None
        self._user = url[6:].decode("ascii")
        return route

    def _begin_cycle(self) -> None:
        """Take uvicorn's path, with the request line and headers that were read."""
        url, headers, expects = self.url, self.headers, self.expect_100_continue
        super().on_message_begin()
        self.url, self.expect_100_continue = url, expects
        self.headers = headers
        self.scope["headers"] = headers
        super().on_headers_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        self._under_way = cycle
        super()._start_asgi_task(cycle, app)

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body; answer at once when it is too long."""
        if self._offers_upgrade:
            return
        if self._route is None:
            super().on_body(body)
        elif not self._own.response_complete:
            self._body = self._body + body if self._body else body
            if len(self._body) > MAX_BODY:
                self._refuse_turn(too_large())

    def on_message_complete(self) -> None:
        """Take the whole request."""
        if self._offers_upgrade:
            return
        self.receiving = False
        route = self._route
        if route is None:
            super().on_message_complete()
        elif not self._own.response_complete:
            assert self.reception is not None
            hosts = self.reception.hosts
            # The same name again first: a connection has one, and it is the first header.
            if (
                hosts is not None
                and (not self.headers or self.headers[0] != self._host)
                and not self._has_our_name(hosts)
            ):
                return
            call = Call(route, self._body, self.headers, self._user, perf_counter())
            self.reception.batches.add(call, self)

    def _has_our_name(self, hosts: HostCheck) -> bool:
        """Check the Host header of a turn, and refuse the turn if it is none of ours."""
        fault = hosts.fault(self.headers)
        if fault is not None:
            self._refuse_turn(fault)
            return False
        if self.headers and self.headers[0][0] == b"host":
            self._host = self.headers[0]
        return True

    # Answers

    def answer(self, response: HttpResponse, now_s: float) -> None:
        """Write the answer of a turn; if the turn was accepted, its line is on file."""
        own = self._own
        own.response_complete = True
        if self.access_log:
            self._log_access(response.status)
        transport = self.transport
        if not transport.is_closing():
            body = response.body
            plain = response.status == 200 and not response.headers
            if plain and own.keep_alive and len(body) < len(_LENGTHS):
                assert self.reception is not None
                ok = self.reception.heads(self.server_state.default_headers)[2]
                transport.write(ok + _LENGTHS[len(body)] + body)
            else:
                transport.write(self._message(response, own.keep_alive))
                if not own.keep_alive:
                    transport.close()
        self._end_cycle(now_s)

    def _log_access(self, status: int) -> None:
        """Log the request as uvicorn does."""
        client = "{}:{}".format(*self.client) if self.client else ""
        path, version = self.url.decode("ascii"), self.parser.get_http_version()
        self.access_logger.info('%s - "%s %s HTTP/%s" %d', client, "POST", path, version, status)

    def _refuse_turn(self, error: ApiError) -> None:
        assert self.reception is not None
        self.answer(self.reception.batches.handlers.refuse(error), self.loop.time())

    def _message(self, response: HttpResponse, keep_alive: bool) -> bytes:
        """Format the whole answer as uvicorn would."""
        assert self.reception is not None
        body = response.body
        more = b""
        if response.headers:
            more = b"".join(b"%b: %b\r\n" % pair for pair in response.headers)
        return b"%b%bcontent-type: application/json\r\n%bcontent-length: %d\r\n%b%b\r\n%b" % (
            STATUS_LINE[response.status],
            self.reception.heads(self.server_state.default_headers)[1],
            _NO_SNIFF,
            len(body),
            more,
            b"" if keep_alive else b"connection: close\r\n",
            body,
        )

    def on_response_complete(self) -> None:
        """End one of uvicorn's cycles."""
        self._end_cycle(self.loop.time())

    def _end_cycle(self, now_s: float) -> None:
        """Begin the next pipelined request, or fall idle.

        Like uvicorn's `on_response_complete`, except that one timer checks the deadlines of all
        connections; uvicorn starts one timer per request.
        """
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        if self.pipeline:
            cycle, app = self.pipeline.pop()
            self._start_asgi_task(cycle, app)
        elif not self.receiving:
            self.since_s = now_s
        if self.flow.read_paused:
            self.flow.resume_reading()

    # Deadlines and the end

    def check_deadline(self, now_s: float) -> None:
        """Close the connection if its client was silent, slow or deaf for too long."""
        assert self.reception is not None
        limits = self.reception.limits
        waited_s = now_s - self.since_s
        if self._refused:
            if waited_s > LINGER_S:
                self.transport.abort()
        elif self.flow.write_paused:
            if now_s - self._paused_s > limits.request_timeout_s:
                self.transport.abort()
        elif self.receiving:
            if waited_s > limits.request_timeout_s:
                self._time_out()
        elif waited_s > limits.keep_alive_s and self._is_idle():
            self.transport.close()

    def _is_idle(self) -> bool:
        return self.cycle is None or (self.cycle.response_complete and not self.pipeline)

    def _time_out(self) -> None:
        """End a request that takes too long."""
        assert self.reception is not None
        seconds = self.reception.limits.request_timeout_s
        message = f"a request must arrive whole within {seconds:g} s"
        self._end_request(ApiError(408, "request_timeout", message))

    def _end_request(self, error: ApiError) -> None:
        """Refuse a request that is not whole, if nothing was answered yet, and close."""
        assert self.reception is not None
        self.reception.batches.flush()
        cycle = self.cycle
        if self._has_head:
            unanswered = not cycle.response_complete and not cycle.response_started
        else:
            unanswered = cycle is None or cycle.response_complete
        if unanswered:
            response = self.reception.batches.handlers.refuse(error)
            self.transport.write(self._message(response, keep_alive=False))
        self.transport.close()

    def leave(self) -> None:
        """Close with the next answer, so that the client does not send into a closed connection."""
        last = _LastCycle()
        last.response_complete = self._own.response_complete
        self._own = last
        if self.cycle is not None:
            self.cycle.keep_alive = False

    def shutdown(self) -> None:
        """Stop: close an idle or half-sent connection; let the server answer a decided turn."""
        if self.receiving or self._refused:
            self.transport.close()
        else:
            super().shutdown()

    def pause_writing(self) -> None:
        """Read no more requests of a client that does not read its answers."""
        super().pause_writing()
        self._paused_s = self.loop.time()
        self.flow.pause_reading()

    def resume_writing(self) -> None:
        """Read requests again."""
        super().resume_writing()
        self.flow.resume_reading()


def _without_upgrade(connection: bytes) -> bytes:
    """Give a Connection header's value without the tokens of an upgrade."""
    tokens = [token.strip() for token in connection.split(b",")]
    return b", ".join(
        token for token in tokens if token.lower() not in (b"upgrade", b"http2-settings")
    )
