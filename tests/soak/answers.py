"""Answers as they come over a connection: one HTTP message at a time, and nothing beside them."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

WITHOUT_BODY = (204, 304)


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer.

    Attributes:
        status: Its HTTP status.
        headers: Lower-case name -> value.
        body: Its bytes.
    """

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Read the body as JSON."""
        return json.loads(self.body)

    @property
    def is_last(self) -> bool:
        """Whether the server closes after it."""
        return self.headers.get("connection", "").lower() == "close"


async def read_answer(reader: asyncio.StreamReader, method: str = "GET") -> Answer | None:
    """Read one whole answer; None if the server closed where an answer may begin.

    Raises:
        asyncio.IncompleteReadError: The server closed in the middle of an answer.
    """
    while True:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError as cut:
            if cut.partial:
                raise
            return None
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        version, status = first.split(" ")[:2]
        assert version == "HTTP/1.1", first
        pairs = (line.partition(":") for line in lines)
        headers = {name.lower(): value.strip() for name, _, value in pairs}
        if int(status) >= 200:  # a 100 only says: go on
            break
    return Answer(int(status), headers, await _read_body(reader, int(status), headers, method))


async def _read_body(
    reader: asyncio.StreamReader, status: int, headers: dict[str, str], method: str
) -> bytes:
    if method == "HEAD" or status in WITHOUT_BODY:
        return b""
    if headers.get("transfer-encoding") == "chunked":
        parts = []
        while size := int(await reader.readuntil(b"\r\n"), 16):
            parts.append(await reader.readexactly(size + 2))
        await reader.readuntil(b"\r\n")
        return b"".join(part[:-2] for part in parts)
    if "content-length" in headers:
        return await reader.readexactly(int(headers["content-length"]))
    return await reader.read()
