"""The archive of a list file: opens the .npz, and checks it whole before a list is used.

numpy reads a negative index from the end of an array, so a damaged list would not fail at a
request: the server would play a wrong track. Such a file must be refused here.
"""

import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, Literal

import numpy as np
import numpy.lib.format as npy
import numpy.typing as npt

from core.catalog import Catalog
from core.errors import InputError

FORMAT = 1
Key = Literal["track", "user"]

BLOCK = 1 << 22
"""Tracks that are compared at once when a file is checked; it bounds the memory for that."""

_AGAIN = "Make it again with `segue lists` or `segue train`"
_LOCAL_HEADER = 30
"""Bytes of a local file header; at 26 and 28 are the lengths of the name and the extra field."""


@dataclass(frozen=True, slots=True)
class ListArchive:
    """The checked content of a list file.

    Attributes:
        key: Whether the lists are keyed by track or by listener.
        manifest: How the lists were made.
        keys: Catalog index, or listener id, of each list; distinct.
        offsets: int64, (lists + 1,), the start of each list in `tracks`, and the end of the last.
        tracks: Integers, (entries,), catalog indices; a view of the file.
    """

    key: Key
    manifest: Mapping[str, Any]
    keys: list[int] | list[str]
    offsets: npt.NDArray[np.int64]
    tracks: npt.NDArray[np.integer]


def read_archive(
    path: Path, file: BinaryIO, content: npt.NDArray[np.uint8], catalog: Catalog
) -> ListArchive:
    """Check an archive, and give views of its arrays.

    Args:
        path: The list file, for messages.
        file: It, or a copy, open for reading.
        content: The same bytes in memory.
        catalog: The catalog that the lists must have been made for.

    Raises:
        InputError: It is damaged, foreign, inconsistent, or made for a different catalog.
    """
    where = str(path)
    try:
        archive = _parse(file, content)
    # A damaged archive makes zipfile, numpy and json raise nearly anything: 11 kinds of exception
    # were seen in 20,000 random damages, NotImplementedError and struct.error among them.
    except Exception as error:
        raise InputError.one(
            where,
            "must be a list file that segue wrote, but is damaged or foreign "
            f"({str(error)[:200] or type(error).__name__}). {_AGAIN}",
        ) from error
    manifest = archive.manifest
    if manifest.get("format") != FORMAT:
        raise InputError.one(
            where, f"must be of format {FORMAT}, is {manifest.get('format')!r:.40}. {_AGAIN}"
        )
    if manifest.get("catalog") != catalog.checksum:
        raise InputError.one(
            where,
            "was made for a different catalog (checksum "
            f"{str(manifest.get('catalog'))[:12]}..., this one has {catalog.checksum[:12]}...). "
            "Make the lists again with this catalog",
        )
    if not _is_consistent(archive, len(catalog)):
        raise InputError.one(
            where,
            "must have one list for each key, of known tracks, none empty; this does not hold. "
            f"{_AGAIN}",
        )
    if (row := _find_repeat(archive.offsets, archive.tracks)) is not None:
        key = archive.keys[row]
        owner = catalog.ids[key] if isinstance(key, int) else key
        raise InputError.one(
            where,
            f"must have each track once in a list; the list of {archive.key} {owner!r} has one "
            f"twice. {_AGAIN}",
        )
    return archive


def _parse(file: BinaryIO, content: npt.NDArray[np.uint8]) -> ListArchive:
    """Read the members; any exception means that the file is damaged or foreign."""
    arrays: dict[str, npt.NDArray[Any]] = {}
    with zipfile.ZipFile(file) as archive:
        for info in archive.infolist():
            name = info.filename.removesuffix(".npy")
            if name in arrays:
                raise ValueError(f"{name!r:.40} is there twice")
            arrays[name] = _member(archive, info, content)
    manifest = json.loads(arrays["manifest"].tobytes())
    if not isinstance(manifest, dict):
        raise ValueError("its manifest is no JSON object")
    key = manifest["key"]
    if key not in ("track", "user"):
        raise ValueError(f"keyed by {key!r:.40}")
    keys = _integers(arrays, "keys").tolist()
    if key == "user":
        keys = json.loads(bytes(keys))
        if not isinstance(keys, list) or not all(isinstance(user, str) for user in keys):
            raise ValueError("its keys are no array of strings")
    offsets = _integers(arrays, "offsets").astype(np.int64)
    return ListArchive(key, manifest, keys, offsets, _integers(arrays, "tracks"))


def _integers(arrays: Mapping[str, npt.NDArray[Any]], name: str) -> npt.NDArray[np.integer]:
    values = arrays[name]
    if values.dtype.kind not in "iu" or not values.dtype.isnative:
        raise ValueError(f"{name} has the type {values.dtype}")
    return values


def _member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, content: npt.NDArray[np.uint8]
) -> npt.NDArray[Any]:
    """A view of one array of a stored .npz in the file's bytes, without a copy."""
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{info.filename} is compressed, so it cannot be mapped")
    with archive.open(info) as member:
        version = npy.read_magic(member)
        if version != (1, 0):
            raise ValueError(f"{info.filename} has npy version {version}")
        shape, _, dtype = npy.read_array_header_1_0(member)
        header = member.tell()
    if len(shape) != 1 or dtype.hasobject:
        raise ValueError(f"{info.filename} has the shape {shape} and the type {dtype}")
    local = content[info.header_offset : info.header_offset + _LOCAL_HEADER]
    start = info.header_offset + _LOCAL_HEADER + sum(local[26:30].view("<u2").tolist())
    stored = content[start : start + info.file_size]
    if header + prod(shape) * dtype.itemsize != info.file_size or len(stored) != info.file_size:
        raise ValueError(f"{info.filename} has the wrong length")
    if zlib.crc32(stored.data) != info.CRC:
        raise ValueError(f"Bad CRC-32 for file {info.filename!r}")  # as zipfile says it
    # frombuffer and not memmap slicing: a memmap pays a microsecond for every slice.
    return np.frombuffer(content, dtype=np.uint8)[start + header : start + info.file_size].view(
        dtype
    )


def _is_consistent(archive: ListArchive, tracks: int) -> bool:
    keys, offsets = archive.keys, archive.offsets
    return (
        len(keys) > 0
        and len(set(keys)) == len(keys)
        and (archive.key == "user" or 0 <= int(min(keys)) <= int(max(keys)) < tracks)
        and len(offsets) == len(keys) + 1
        and int(offsets[0]) == 0
        and int(offsets[-1]) == len(archive.tracks)
        and bool(np.all(np.diff(offsets) > 0))
        and int(archive.tracks.max()) < tracks
        and int(archive.tracks.min()) >= 0
    )


def _find_repeat(offsets: npt.NDArray[np.integer], tracks: npt.NDArray[np.integer]) -> int | None:
    """Find a list that has a track twice; return its row, or None if there is none."""
    lengths = np.diff(offsets)
    for length in np.unique(lengths[lengths > 1]).tolist():
        rows = np.flatnonzero(lengths == length)
        # Lists of one length are a table, and sorting its rows puts equal tracks side by side.
        at_once = max(1, BLOCK // length)
        for block in (rows[start : start + at_once] for start in range(0, len(rows), at_once)):
            table = np.sort(tracks[offsets[block][:, None] + np.arange(length)], axis=1)
            repeated = (table[:, 1:] == table[:, :-1]).any(axis=1)
            if repeated.any():
                return int(block[repeated.argmax()])
    return None
