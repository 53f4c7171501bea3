"""A grammar of HTTP requests and of whole conversations on one connection."""

import random
from dataclasses import dataclass
from enum import Enum
from urllib.parse import quote

from tests.soak.hostile_bodies import LISTENERS, STRINGS, Expected, HostileBody, make_body


class Ending(Enum):
    """The way in which a client ends a conversation."""

    READ = "reads every answer"
    RESET = "resets the connection"
    STALL = "falls silent in the middle of a request"


@dataclass(frozen=True, slots=True)
class HostileRequest:
    """A request that is whole, so that it must get one answer.

    Attributes:
        kind: Name of its part of the grammar.
        method: Its method; an answer to HEAD has no body.
        content: Its bytes.
        expected: The answer that it must get.
    """

    kind: str
    method: str
    content: bytes
    expected: Expected


@dataclass(frozen=True, slots=True)
class Conversation:
    """Requests on one connection.

    Attributes:
        number: Its number; with the seed it gives the same conversation again.
        kind: Name of its part of the grammar.
        requests: Whole requests, pipelined.
        rest: Bytes after them that are no whole request, or none at all.
        pieces: The bytes of both, as they are sent.
        ending: The way in which the client ends it.
    """

    number: int
    kind: str
    requests: tuple[HostileRequest, ...]
    rest: bytes
    pieces: tuple[bytes, ...]
    ending: Ending

    @property
    def size(self) -> int:
        """Number of requests, whole or not."""
        return len(self.requests) + bool(self.rest)


PATHS = (
    "/", "/healthz", "/readyz", "/tracks/1000", "/tracks/nobody", "/track/%00", "/tracks/%ff%fe",
    "/nowhere", "/recommend/", "//recommend", "/recommend?x=1", "/RECOMMEND", "/next/", "/next",
    "/next/a/b", "/last/%2F", "/next/%20", "/next/%E2%98%83", "/next/%zz", "/next/..",
    "/../etc/passwd", "/tracks/" + "x" * 8_000, "/admin/reload", "/recommend#x", "/recommend;x",
    "/%72ecommend", "/next/7?x", "/docs%00", "/metrics/",
)  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "PATCH", "TRACE")
TYPES = (
    "application/json", "application/json; charset=utf-8", "APPLICATION/JSON", "application/json;",
    "text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "application/xml", "",
    "\xff", "application/json, x",
)  # fmt: skip
ODD_HEADERS = (
    "Idempotency-Key: ", "Idempotency-Key: " + "k" * 256, "Idempotency-Key: " + "k" * 257,
    "Idempotency-Key: \xff\xfe", "Idempotency-Key: a\r\nIdempotency-Key: b",
    "Segue-Force: fallback=T1", "Segue-Force: ", "Segue-Force: =,=,=",
    "Segue-Force: " + "a=b," * 2_000, "Segue-Force: \xff=\xff", "Authorization: Bearer",
    "Authorization: Bearer \xff", "Authorization: Basic " + "A" * 4_000, "Content-Encoding: gzip",
    "Accept: application/xml", "X-Forwarded-For: 1.2.3.4, \xff", "Cookie: a=b; c",
    "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQ",
    "Upgrade: websocket", "Connection: keep-alive, foo", "Te: trailers", "X: " + "x" * 30_000,
    "Origin: http://elsewhere.example", "\r\n".join(f"X-{each}: {each}" for each in range(200)),
    "Expect: 100-continue", "Range: bytes=0-",
)  # fmt: skip
BROKEN = (
    b"\r\n\r\n\r\n", b"GET\r\n\r\n", b"GET /\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n",
    b"POST /recommend HTTP/2.0\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(300),
    b"GET / HTTP/1.1\r\nHost 127.0.0.1\r\n\r\n", b"GET / HTTP/1.1\r\n: x\r\n\r\n",
    b"GET / HTTP/1.1\r\nA\x00: x\r\n\r\n", b"GET / HTTP/1.1\r\nA: \x00\r\n\r\n",
    b"GET / HTTP/1.1\nHost: x\n\n", b"GET /\x00 HTTP/1.1\r\n\r\n",
    b"GET / HTTP/1.1\r\nA: x\r\n folded\r\n\r\n",
    b"POST /recommend HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    b"POST /recommend HTTP/1.1\r\nContent-Length: 1e3\r\n\r\n",
    b"POST /recommend HTTP/1.1\r\nContent-Length: \r\n\r\n",
    b"POST /recommend HTTP/1.1\r\nContent-Length: 99999999999999999999\r\n\r\n",
    b"POST /recommend HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n12345",
    b"POST /recommend HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    b"POST /recommend HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"CONNECT a:1 HTTP/1.1\r\n\r\n\x00\x01",
    b"POST /recommend HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n",
    b"POST /recommend HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n", b"a" * 70_000,
    b"\xff" * 1_000,
    b"POST /recommend HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"use\r\n",
    b"POST /recommend HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    b"POST /recommend HTTP/1.1\r\nTransfer-Encoding: identity\r\n\r\n{}",
    b"POST /recommend HTTP/1.1\r\nContent-Length: 100\r\n\r\n{\"user\"",
    b"POST /recommend HTTP/1.1\r\nContent-Le",
    b"POST /next/7 HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 30\r\n\r\n", b"POST /recomm",
    b"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n\x81\x85",
    b"GET /nowhere HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nHost: x\r\n\r\n",
)  # fmt: skip


def conversation(seed: int, number: int) -> Conversation:
    """Make one conversation; the same seed and number give the same one."""
    draw = random.Random(f"{seed}-{number}")
    kind = draw.choices(("pipelined", "broken", "reset", "stalled"), (80, 12, 7, 1))[0]
    most = {"pipelined": 24, "reset": 12}.get(kind, 3)
    requests = tuple(_request(draw) for _ in range(draw.randrange(1, most + 1)))
    rest = draw.choice(BROKEN) if kind in ("broken", "stalled") else b""
    if kind == "broken" and draw.random() < 0.3:
        whole = bytearray(_request(draw).content)  # a request damaged at one place
        at = draw.randrange(len(whole))
        whole[at : at + draw.randrange(1, 9)] = draw.randbytes(draw.randrange(9))
        rest = bytes(whole)
    ending = {"reset": Ending.RESET, "stalled": Ending.STALL}.get(kind, Ending.READ)
    content = b"".join(each.content for each in requests) + rest
    return Conversation(number, kind, requests, rest, _pieces(draw, content), ending)


def _pieces(draw: random.Random, content: bytes) -> tuple[bytes, ...]:
    """Cut the bytes as networks and slow clients do."""
    if draw.random() < 0.6:
        return (content,)
    cuts = sorted(draw.randrange(len(content) + 1) for _ in range(draw.randrange(1, 12)))
    return tuple(
        content[start:end] for start, end in zip((0, *cuts), (*cuts, len(content)), strict=True)
    )


def _request(draw: random.Random) -> HostileRequest:
    make = draw.choices((_turn, _odd_turn, _other), (60, 25, 15))[0]
    return make(draw)


def _route(draw: random.Random) -> tuple[str, str]:
    """Draw a route that takes a turn, and its path."""
    route = draw.choice(("recommend", "recommend", "feedback", "next", "last"))
    if route in ("next", "last"):
        text = f"{draw.choice(STRINGS)}{draw.randrange(LISTENERS)}".replace("../", "")
        user = text if draw.random() < 0.3 else str(draw.randrange(LISTENERS))
        return route, f"/{route}/{quote(user, safe='')}"
    return route, f"/{route}"


def _turn(draw: random.Random) -> HostileRequest:
    """A turn in a plain frame, so that the body alone decides."""
    route, path = _route(draw)
    body = make_body(draw, route)
    headers = ["Host: 127.0.0.1", "Content-Type: application/json"]
    if draw.random() < 0.2:
        headers.append(f"Idempotency-Key: {draw.randbytes(12).hex()}")
    content = _framed(draw, "POST", path, headers, body.content)
    return HostileRequest(body.kind, "POST", content, body.expected)


def _odd_turn(draw: random.Random) -> HostileRequest:
    """A turn with headers that few clients send."""
    route, path = _route(draw)
    body: HostileBody = make_body(draw, route)
    headers = [f"Host: {draw.choice(('127.0.0.1', 'localhost', 'elsewhere.example', ''))}"]
    if draw.random() < 0.5:
        headers.append(f"Content-Type: {draw.choice(TYPES)}")
    headers += draw.sample(ODD_HEADERS, draw.randrange(3))
    expected = Expected.REFUSED if body.expected is Expected.REFUSED else Expected.EITHER
    content = _framed(draw, "POST", path, headers, body.content)
    return HostileRequest("odd headers", "POST", content, expected)


def _other(draw: random.Random) -> HostileRequest:
    """Any method on any path, with or without a body."""
    method, path = draw.choice(METHODS), draw.choice(PATHS)
    headers = ["Host: 127.0.0.1", *draw.sample(ODD_HEADERS, draw.randrange(2))]
    body = make_body(draw, "recommend").content if draw.random() < 0.3 else None
    content = _framed(draw, method, path, headers, body)
    return HostileRequest("other route", method, content, Expected.EITHER)


def _framed(
    draw: random.Random, method: str, path: str, headers: list[str], body: bytes | None
) -> bytes:
    """Write a request whose end the server can tell: by its length, or in chunks."""
    lines = [f"{method} {path} HTTP/1.1", *headers]
    if body is None:
        return "\r\n".join([*lines, "", ""]).encode("latin-1")
    if draw.random() < 0.8:
        lines.append(f"Content-Length: {len(body)}")
        return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
    lines.append("Transfer-Encoding: chunked")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + _chunked(draw, body)


def _chunked(draw: random.Random, body: bytes) -> bytes:
    parts = []
    while body:
        size = (
            draw.choice((1, 7, 100, 20_000)) if len(body) < 1_000 else draw.choice((9_000, 70_000))
        )
        part, body = body[:size], body[size:]
        extension = draw.choice((b"", b"", b";a=b", b';a="\xff"'))
        parts.append(b"%x%b\r\n%b\r\n" % (len(part), extension, part))
    trailer = draw.choice((b"", b"", b"X-Trailer: 1\r\n"))
    return b"".join([*parts, b"0\r\n", trailer, b"\r\n"])
