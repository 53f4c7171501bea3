"""A grammar of JSON bodies: sound ones, broken ones, and ones at the edge of what is allowed."""

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any

from app.requests import MAX_BODY

TRACKS = range(1000, 1160, 10)
LISTENERS = 5_000


class Expected(Enum):
    """The answer that a request must get."""

    ACCEPTED = "2xx"
    REFUSED = "4xx"
    EITHER = "2xx or 4xx"

    def allows(self, status: int) -> bool:
        """Whether this status is expected."""
        return {
            Expected.ACCEPTED: 200 <= status < 300,
            Expected.REFUSED: 400 <= status < 500,
            Expected.EITHER: 200 <= status < 500,
        }[self]


@dataclass(frozen=True, slots=True)
class HostileBody:
    """A body, and the answer that it must get.

    Attributes:
        kind: Name of its part of the grammar.
        content: Its bytes.
        expected: The answer that it must get on the route it was made for.
    """

    kind: str
    content: bytes
    expected: Expected


STRINGS = (
    "u",
    "слушатель",
    "🎧",
    "a b",
    "[untitled]",
    "<script>",
    "' OR 1=1 --",
    "../../etc",
    "%00",
)
NUMBERS = (
    "1e999", "-1e999", "-0", "-0.0", "0.1e-999", "1E400", "9223372036854775807",
    "9223372036854775808", "-9223372036854775808", "-9223372036854775809", "18446744073709551616",
    "01", "+1", ".5", "1.", "1e", "0x10", "1_000", "NaN", "Infinity", "-Infinity", "7.0", "1e5",
    "5e-324", "1.7976931348623159e308", "9" * 309, "9" * 5_000, "0." + "9" * 5_000, "-", "٣",
)  # fmt: skip
TEXTS = (
    rb'"\ud800"', rb'"\udc00\ud800"', rb'"\ud83d"', rb'"\ud83d\ude00"', b'"\xed\xa0\x80"',
    b'"\xff"', b'"\xc0\xaf"', rb'"\u0000"', b'"\x00"', b'"\x1f"', rb'"\x41"', rb'"\u12"', b'"',
    b'"a', b"'a'", b'""', b'" "', b'"a "', b'"\xc2\xa0a"', b'"' + b"x" * 256 + b'"',
    b'"' + b"x" * 257 + b'"', b'"' + "é".encode() * 256 + b'"', b'"' + b"x" * 40_000 + b'"',
)  # fmt: skip
WHOLES = (
    b"", b" ", b"null", b"true", b"[]", b"{}", b"0", b'""', b"\x00", b"\xef\xbb\xbf{}", b"}",
    b"{,}", b'{"user"}', b'{"user":}', b'{"user":7,}', b"{'user':7}", b"{user:7}",
    b'{"user":7}/**/', b"//\n{}", b'{"user":7}{"user":7}', b'{"user":7} x', b'{"user":7}\x00',
    b'[{"user":7}]', b'{"user" 7}', '{"user":7}'.encode("utf-16"), '{"user":7}'.encode("utf-32"),
    b'{"USER":7}', b'{"":7}', b'{"user":7', b'{"__proto__":{"user":7}}', b'{"user":7,"user ":8}',
    b"<user>7</user>", b"user=7&track=1000&time=1",
)  # fmt: skip


def make_body(draw: random.Random, route: str) -> HostileBody:
    """Make a body for a route: a third of them sound, the rest from every part of the grammar."""
    make = draw.choice((_sound, _sound, _sound, _sound, *_PARTS))
    return make(draw, route)


def sound_fields(draw: random.Random, route: str) -> dict[str, Any]:
    """Draw fields that the route accepts."""
    heard: dict[str, Any] = {"track": draw.choice(TRACKS), "time": draw.randrange(11) / 10}
    if route in ("next", "last"):
        return heard
    fields: dict[str, Any] = {"user": _listener(draw)}
    if draw.random() < 0.2:
        fields["attributes"] = {"device": draw.choice(STRINGS), "age": draw.randrange(100)}
    if route == "feedback":
        return {**fields, **heard, "final": draw.random() < 0.2}
    if draw.random() < 0.7:
        fields.update(heard)
    if draw.random() < 0.2:
        fields["n"] = draw.randrange(1, 101)
    if draw.random() < 0.2:
        fields["exclude"] = draw.sample(TRACKS, 3)
    if draw.random() < 0.1:
        fields["explain"] = True
    return fields


def _listener(draw: random.Random) -> int | str:
    number = draw.randrange(LISTENERS)
    return number if draw.random() < 0.8 else f"{draw.choice(STRINGS)}{number}"


def _sound(draw: random.Random, route: str) -> HostileBody:
    fields = sound_fields(draw, route)
    content = json.dumps(fields, ensure_ascii=draw.random() < 0.5).encode()
    return HostileBody("sound", content, Expected.ACCEPTED)


def _whole(draw: random.Random, route: str) -> HostileBody:
    content = draw.choice(WHOLES)
    return HostileBody("no body of ours", content, Expected.REFUSED)


def _damaged(draw: random.Random, route: str) -> HostileBody:
    """Cut, insert, delete or change bytes of a sound body."""
    content = bytearray(_sound(draw, route).content)
    for _ in range(draw.randrange(1, 4)):
        at = draw.randrange(len(content) + 1)
        match draw.randrange(4):
            case 0:
                del content[at:]
            case 1:
                content[at:at] = draw.randbytes(draw.randrange(1, 5))
            case 2:
                del content[at : at + draw.randrange(1, 4)]
            case _:
                content[at : at + 1] = draw.randbytes(1)
    return HostileBody("damaged", bytes(content), Expected.EITHER)


def _nested(draw: random.Random, route: str) -> HostileBody:
    depth = draw.choice((2, 100, 127, 128, 129, 255, 256, 1_000, 10_000, 30_000))
    left, right = draw.choice(((b"[", b"]"), (b'{"a":', b"}"), (b"[{},", b"]")))
    inner = draw.choice((b"", b"1")) if left == b"[" else b"1"
    deep = (left * depth + inner + right * draw.choice((depth, 0)))[:MAX_BODY]
    content = draw.choice((b"%b", b'{"user":7,"track":%b}', b'{"user":%b}')) % deep
    if b'"track"' in content:
        content = content[:-1] + b',"attributes":{"a":' + deep + b"}}"
    return HostileBody("nested", content, Expected.REFUSED)


def _replaced(
    draw: random.Random, route: str, values: Callable[[], bytes], kind: str
) -> HostileBody:
    """Put a raw value in the place of one field's."""
    fields = sound_fields(draw, route)
    name = draw.choice(
        (*fields, "user", "track", "time", "n", "exclude", "attributes", "final", "extra")
    )
    fields[name] = "HERE"
    content = json.dumps(fields).encode().replace(b'"HERE"', values())
    return HostileBody(kind, content, Expected.EITHER)


def _number(draw: random.Random, route: str) -> HostileBody:
    return _replaced(draw, route, lambda: draw.choice(NUMBERS).encode(), "number")


def _text(draw: random.Random, route: str) -> HostileBody:
    return _replaced(draw, route, lambda: draw.choice(TEXTS), "text")


def _type(draw: random.Random, route: str) -> HostileBody:
    values = (
        b"null",
        b"true",
        b"{}",
        b"[]",
        b"[[]]",
        b'{"a":{}}',
        b'"7"',
        b"7",
        b"-1",
        b"[null,1.5]",
    )
    return _replaced(draw, route, lambda: draw.choice(values), "type")


def _twice(draw: random.Random, route: str) -> HostileBody:
    """Write a key twice, with the same or a different value."""
    content = _sound(draw, route).content
    name = draw.choice((b"track", b"time", b"user"))
    again = b'"%b":%b,' % (name, draw.choice((b"1000", b"0.5", b"null", b'"x"')))
    twice = b"{" + again * 2 + content[1:]
    return HostileBody("key twice", twice, Expected.REFUSED)


def _long(draw: random.Random, route: str) -> HostileBody:
    """A body around the limit of size, or with thousands of elements."""
    if draw.random() < 0.5:
        size = MAX_BODY + draw.choice((-1, 0, 1, 2, 1_000, 100_000))
        content = _sound(draw, route).content
        padded = content[:-1] + b" " * (size - len(content)) + b"}"
        fits = len(padded) <= MAX_BODY
        return HostileBody("size", padded, Expected.ACCEPTED if fits else Expected.REFUSED)
    many = draw.choice((b"true", b"1e999", b"7", b'"x"', b"[]", b"{}", b"null"))
    count = draw.choice((1_000, 1_001, 5_000, 10_000))
    content = b'{"user":7,"exclude":[' + b",".join([many] * count) + b"]}"
    return HostileBody("many elements", content, Expected.EITHER)


def _facts(draw: random.Random, route: str) -> HostileBody:
    """Attributes around their limits."""
    keys = draw.choice((0, 1, 32, 33, 500))
    name = "k" * draw.choice((1, 60, 61, 200))
    value = draw.choice((1, 1.5, True, None, "v" * 256, "v" * 257, [], {}, 2**63))
    facts = {f"{name}{each}": value for each in range(keys)}
    fields = {**sound_fields(draw, route), "attributes": facts}
    return HostileBody("attributes", json.dumps(fields).encode(), Expected.EITHER)


_PARTS = (_whole, _damaged, _nested, _number, _text, _type, _twice, _long, _facts)
