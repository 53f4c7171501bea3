"""Content in each packing, for tests: as one stream, or as several one after the other."""

import bz2
import gzip
import lzma

import zstandard

PACK = {
    "gz": gzip.compress,
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
}


def packed(content: bytes, packing: str, streams: int = 1) -> bytes:
    """Pack the content; with several streams, each holds a part of it."""
    if packing == "plain":
        return content
    step = -(-len(content) // streams) or 1
    parts = [content[at : at + step] for at in range(0, len(content), step)] or [b""]
    return b"".join(PACK[packing](part) for part in parts)
