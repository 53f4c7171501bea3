"""Lines of text files: UTF-8 with or without a mark, ended by LF, CRLF or CR."""

from collections.abc import Iterable, Iterator

from core.errors import InputError
from core.packings import unpack_input

BOM = b"\xef\xbb\xbf"
"""The byte order mark that some editors write before UTF-8; it has no meaning, so it is skipped."""

LONGEST = 64 << 20

_MARKS = (  # UTF-32 first: its mark begins as that of UTF-16
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
)


def line_blocks(where: str, pieces: Iterable[bytes]) -> Iterator[tuple[int, list[bytes]]]:
    """Yield (number of the first line, lines without their ends), some thousands at a time.

    A line ends with LF or CRLF. In a file whose first megabyte has no LF, it ends with CR.

    Raises:
        InputError: The text is UTF-16 or UTF-32, or a line is longer than 64 MB.
    """
    number, rest, end = 1, b"", b""
    for piece in text_pieces(where, pieces):
        rest = rest + piece if rest else piece
        if not end:
            end = b"\n" if b"\n" in rest else b"\r" if b"\r" in rest[:-1] else b""
        if end == b"\r":
            rest = rest.replace(b"\r\n", end).replace(b"\n", end)
        lines = rest.split(end) if end else [rest]
        rest = lines.pop()
        if len(rest) > LONGEST:
            raise InputError.one(
                f"{where}:{number + len(lines)}",
                f"is a line longer than {LONGEST >> 20} MB, so this is no text in lines",
            )
        if lines:
            yield number, _stripped(lines)
            number += len(lines)
    if rest:
        yield number, _stripped([rest])


def text_in(where: str, content: bytes) -> bytes:
    """Unpack the content of a file, and leave out the mark of UTF-8.

    Raises:
        InputError: It is damaged, no text, UTF-16 or UTF-32.
    """
    return b"".join(text_pieces(where, unpack_input(where, [content])))


def text_pieces(where: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the pieces without the mark of UTF-8.

    Raises:
        InputError: The text is UTF-16 or UTF-32.
    """
    whole = iter(pieces)
    head = b""
    for piece in whole:
        head += piece
        if len(head) >= 64:
            break
    check_encoding(where, head)
    yield head.removeprefix(BOM)
    yield from whole


def check_encoding(where: str, head: bytes) -> None:
    """Refuse text that is not in bytes: UTF-16 and UTF-32, with their mark or without.

    Raises:
        InputError: It is such text.
    """
    found = next((name for mark, name in _MARKS if head.startswith(mark)), None) or _wide(head)
    if found is not None:
        raise InputError.one(
            where,
            f"is {found}, must be UTF-8. Convert it: iconv -f {found} -t UTF-8 FILE > NEW",
        )


def _wide(head: bytes) -> str | None:
    """The encoding of wide characters without a mark: in English text most are zeros but one byte.

    In a block of zeros, as a broken disk leaves it, all bytes are, and that is no encoding.
    """
    head = head[: min(len(head), 1000) // 4 * 4]
    if len(head) < 16:
        return None
    is_zero = [head[place::4].count(0) * 8 > len(head) for place in range(4)]
    return {
        (False, True, False, True): "UTF-16LE",
        (True, False, True, False): "UTF-16BE",
        (False, True, True, True): "UTF-32LE",
        (True, True, True, False): "UTF-32BE",
    }.get((is_zero[0], is_zero[1], is_zero[2], is_zero[3]))


def _stripped(lines: list[bytes]) -> list[bytes]:
    """Lines without the CR of CRLF, and without CRs at the end of a file of CRs."""
    return [line.rstrip(b"\r") if line.endswith(b"\r") else line for line in lines]
