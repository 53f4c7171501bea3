"""Redis' protocol on the wire: commands as bytes, and replies out of bytes.

hiredis does both in C, 2 to 3 us a turn in all. Without it, the same is done here in Python.
"""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

Argument = bytes | str | int
Pack = Callable[[tuple[Argument, ...]], bytes]


class ErrorReply(Exception):
    """Redis' answer to a command that failed; an answer, and nothing that code raises."""


class Replies(Protocol):
    """A parser of replies that takes the bytes in any pieces."""

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""

    def gets(self) -> Any:
        """Give the next whole reply; False if none is there."""


def pack_in_python(command: tuple[Argument, ...]) -> bytes:
    """Pack a command without hiredis."""
    parts = [b"*%d\r\n" % len(command)]
    for each in command:
        content = each if isinstance(each, bytes) else str(each).encode()
        parts.append(b"$%d\r\n%b\r\n" % (len(content), content))
    return b"".join(parts)


class PythonReplies:
    """A parser of replies without hiredis."""

    def __init__(self) -> None:
        self._buffer = b""
        self._place = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes."""
        self._buffer = self._buffer[self._place :] + data
        self._place = 0

    def gets(self) -> Any:
        """Give the next whole reply; False if none is there."""
        try:
            reply, self._place = self._read(self._place)
        except IndexError:
            return False
        return reply

    def _read(self, place: int) -> tuple[Any, int]:
        """Read one reply; raise IndexError if its end has not come yet."""
        end = self._buffer.find(b"\r\n", place)
        if end < 0:
            raise IndexError
        kind, line = self._buffer[place : place + 1], self._buffer[place + 1 : end]
        place = end + 2
        if kind == b"+":
            return line, place
        if kind == b"-":
            return ErrorReply(line.decode("utf-8", "replace")), place
        size = int(line)
        if kind == b":":
            return size, place
        if size < 0:
            return None, place
        if kind == b"$":
            if len(self._buffer) < place + size + 2:
                raise IndexError
            return self._buffer[place : place + size], place + size + 2
        replies = []
        for _ in range(size):
            reply, place = self._read(place)
            replies.append(reply)
        return replies, place


def choose() -> tuple[Pack, Callable[[], Replies]]:
    """Choose the packer and the parser: those of hiredis where it is installed."""
    try:
        import hiredis
    except ImportError:
        return pack_in_python, PythonReplies

    def replies() -> Replies:
        return hiredis.Reader(protocolError=ValueError, replyError=ErrorReply)

    pack: Sequence[Any] = [hiredis.pack_command]
    return pack[0], replies
