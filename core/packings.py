"""Packings: how a file is packed, by its first bytes, and its content unpacked in bounded pieces.

A name says nothing: `x.csv.gz` may be plain text, and `x.csv` packed. Every reader of files that
people hand in unpacks here, so damage looks the same in each packing.
"""

import bz2
import lzma
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import Protocol

from core.errors import InputError

ENDINGS = (".gz", ".zst", ".bz2", ".xz")
"""Endings of the names of files in a packing that is unpacked here."""

PIECE = 1 << 20
"""Bytes that are read from a packed file at once; text unpacks to 3 to 20 times as many."""

_HEAD = 8
_MAGIC = (
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    *((bytes([0x50 + number]) + b"\x2a\x4d\x18", "zstd") for number in range(16)),  # skippable
    (b"BZh", "bzip2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"PAR1", "parquet"),
    (b"PK\x03\x04", "zip"),
    (b"PK\x05\x06", "zip"),
    (b"7z\xbc\xaf\x27\x1c", "7z"),
    (b"Rar!\x1a\x07", "rar"),
    (b"\x04\x22\x4d\x18", "lz4"),
    (b"%PDF", "pdf"),
    (b"SQLite f", "sqlite"),
)
UNPACKED_HERE = frozenset({"plain", "gzip", "zstd", "bzip2", "xz"})

_FOREIGN = {
    "parquet": "is Parquet. Give text, or a kind that reads Parquet: `table` or `yambda`",
    "zip": "is a ZIP archive (spreadsheets are, too). Unpack it, or save the sheet as CSV",
    "7z": "is a 7z archive. Unpack it first",
    "rar": "is a RAR archive. Unpack it first",
    "lz4": "is packed by lz4. Unpack it first, or pack it by gzip, zstd, bzip2 or xz",
    "pdf": "is a PDF. Give the data as text",
    "sqlite": "is a SQLite database. Export the table as CSV",
}


class DamagedArchive(Exception):
    """A packed file that cannot be unpacked to its end.

    Attributes:
        reason: `torn archive` if it ends early, `broken archive` if its bytes are wrong.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class _Decoder(Protocol):
    """The part of the decoders of zlib, bz2, lzma and zstandard that is used."""

    @property
    def eof(self) -> bool: ...

    @property
    def unused_data(self) -> bytes: ...

    def decompress(self, data: bytes, /) -> bytes: ...


def packing_of(head: bytes) -> str:
    """Name the packing (or the foreign format) of a file with these first bytes."""
    return next((kind for magic, kind in _MAGIC if head.startswith(magic)), "plain")


def unpack(packed: Iterable[bytes], packing: str) -> Iterator[bytes]:
    """Unpack pieces of a file; several frames or streams one after the other are one content.

    Raises:
        DamagedArchive: After everything that could be unpacked.
    """
    if packing == "plain":
        yield from packed
        return
    decoder: _Decoder | None = None
    for content in packed:
        while content:
            if decoder is None:
                content = content.lstrip(b"\0")  # gzip and xz files may be padded with zeros
                if not content:
                    break
                decoder = _decoder(packing)
            try:
                yield decoder.decompress(content)
            except Exception as error:
                if not _is_damage(error):
                    raise
                raise DamagedArchive("broken archive") from error
            content = b""
            if decoder.eof:
                content = decoder.unused_data
                decoder = None
    if decoder is not None:
        raise DamagedArchive("torn archive")


def read_file(path: Path) -> Iterator[bytes]:
    """Read a file (or a pipe) that someone named: its content unpacked, in pieces.

    Raises:
        InputError: It is not there, a folder, damaged, or in a format that is no text.
    """
    where = str(path)
    try:
        with path.open("rb") as file:
            yield from unpack_input(where, iter(lambda: file.read(PIECE), b""))
    except OSError as error:
        raise InputError.one(where, f"cannot be read: {error.strerror or error}") from error


def unpack_input(where: str, pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Unpack the pieces of a file that someone named; the first one says how it is packed.

    Raises:
        InputError: It is damaged, or in a format that is no text.
    """
    rest = iter(pieces)
    head = next(rest, b"")
    while 0 < len(head) < _HEAD and (more := next(rest, b"")):  # a pipe gives what it has
        head += more
    packing = packing_of(head)
    if packing in _FOREIGN:
        raise InputError.one(where, _FOREIGN[packing])
    try:
        yield from unpack(chain([head], rest), packing)
    except DamagedArchive as error:
        raise InputError.one(
            where,
            f"is damaged or cut off ({error.reason}), so nothing of it is used. Get the file again",
        ) from error


def _decoder(packing: str) -> _Decoder:
    if packing == "gzip":
        return zlib.decompressobj(wbits=31)
    if packing == "bzip2":
        return bz2.BZ2Decompressor()
    if packing == "xz":
        return lzma.LZMADecompressor()
    try:
        import zstandard
    except ImportError as error:
        raise InputError.one(
            "zstd", "needs the package zstandard: pip install 'segue[analysis]'"
        ) from error
    # `zstd --long=31` needs windows of 2 GB; the decoder takes no more memory than the file asks.
    decoder: _Decoder = zstandard.ZstdDecompressor(max_window_size=1 << 31).decompressobj()
    return decoder


def _is_damage(error: Exception) -> bool:
    """Test for the errors of decoders; bz2 raises bare OSError, ValueError and EOFError."""
    known = (zlib.error, lzma.LZMAError, OSError, ValueError, EOFError)
    return isinstance(error, known) or type(error).__name__ == "ZstdError"
