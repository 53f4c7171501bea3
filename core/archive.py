"""The archive of lists or vectors: opens the .npz, and checks it whole before it is used.

numpy reads a negative index from the end of an array, so a damaged list would not fail at a
request: the server would play a wrong track. Such a file must be refused here.
"""

import json
import zipfile
import zlib
from collections.abc import Callable, Mapping, Sequence
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
_FILLER, _EXTRA_HEADER, _ALIGNMENT = 0xD935, 4, 64
"""An extra field that readers of .zip pass over; the length of its head; numpy's alignment."""
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
        scores: float32, (entries,), the score of each track in its list; None if it has none.
    """

    key: Key
    manifest: Mapping[str, Any]
    keys: list[int] | list[str]
    offsets: npt.NDArray[np.int64]
    tracks: npt.NDArray[np.integer]
    scores: npt.NDArray[np.float32] | None = None


@dataclass(frozen=True, slots=True)
class Members:
    """The arrays of an archive, and the two that every kind has, read.

    Attributes:
        key: Whether the rows are keyed by track or by listener.
        manifest: How they were made.
        keys: Catalog index, or listener id, of each row.
        arrays: All arrays by name; views of the file.
    """

    key: Key
    manifest: Mapping[str, Any]
    keys: list[int] | list[str]
    arrays: Mapping[str, npt.NDArray[Any]]


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
    members = read_members(path, file, content, "a list file", _AGAIN, _lists_of)
    check_catalog(where, members.manifest, catalog, FORMAT, _AGAIN)
    scores = members.arrays.get("scores")
    archive = ListArchive(
        members.key, members.manifest, members.keys, *_lists_of(members.arrays), scores
    )
    if not _is_consistent(archive, len(catalog)):
        raise InputError.one(
            where,
            "must have one list for each key, of known tracks, none empty; this does not hold. "
            f"{_AGAIN}",
        )
    if scores is not None and not _are_scores(archive.offsets, scores, len(archive.tracks)):
        raise InputError.one(
            where,
            "must have one finite score for each track, none above the score before it in its "
            f"list; this does not hold. {_AGAIN}",
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


def read_members(
    path: Path,
    file: BinaryIO,
    content: npt.NDArray[np.uint8],
    what: str,
    advice: str,
    check: Callable[[Mapping[str, npt.NDArray[Any]]], object] = dict,
) -> Members:
    """Read the arrays of an archive, as views of its bytes.

    Args:
        path: The file, for messages.
        file: It, or a copy, open for reading.
        content: The same bytes in memory.
        what: Kind of file, for messages.
        advice: What to do about a damaged file.
        check: Reads arrays of this kind; any exception means that the file is damaged.

    Raises:
        InputError: The archive is damaged or foreign.
    """
    try:
        members = _parse(file, content)
        check(members.arrays)
    # A damaged archive makes zipfile, numpy and json raise nearly anything: 11 kinds of exception
    # were seen in 20,000 random damages, NotImplementedError and struct.error among them.
    except Exception as error:
        raise InputError.one(
            str(path),
            f"must be {what} that segue wrote, but is damaged or foreign "
            f"({str(error)[:200] or type(error).__name__}). {advice}",
        ) from error
    return members


def check_catalog(
    where: str, manifest: Mapping[str, Any], catalog: Catalog, version: int, advice: str
) -> None:
    """Check that an archive has this version of the format, and was made for this catalog.

    Raises:
        InputError: It has not, or was not.
    """
    if manifest.get("format") != version:
        raise InputError.one(
            where, f"must be of format {version}, is {manifest.get('format')!r:.40}. {advice}"
        )
    if manifest.get("catalog") != catalog.checksum:
        raise InputError.one(
            where,
            "was made for a different catalog (checksum "
            f"{str(manifest.get('catalog'))[:12]}..., this one has {catalog.checksum[:12]}...). "
            "Make it again with this catalog",
        )


def named_keys(key: Key, keys: Sequence[Any]) -> npt.NDArray[Any]:
    """Turn keys into the array `keys`: catalog indices, or JSON of listener ids."""
    if key == "track":
        return np.asarray(keys, dtype=np.int32)
    return np.frombuffer(json.dumps([str(k) for k in keys]).encode(), dtype=np.uint8)


def write_archive(
    path: Path, members: Mapping[str, npt.NDArray[Any]], aligned: bool = False
) -> None:
    """Write an archive without compression; the file is replaced as a whole.

    Args:
        path: The file.
        members: The arrays by name.
        aligned: Begin each array at a multiple of 64 bytes. numpy copies a matrix whose numbers
            are not at multiples of their size before it multiplies it.

    Raises:
        InputError: The file cannot be written.
    """
    part = path.with_name(path.name + ".part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for name, values in members.items():
                info = zipfile.ZipInfo(name + ".npy")
                if aligned:
                    info.extra = _filler(archive.start_dir, info.filename)
                with archive.open(info, "w") as member:
                    npy.write_array(member, values, version=(1, 0), allow_pickle=False)
        part.replace(path)
    except OSError as error:
        raise InputError.one(
            str(path), f"cannot be written: {error.strerror or error}. Name a different file"
        ) from error
    finally:
        part.unlink(missing_ok=True)  # still there only after an error or an interrupt


def _filler(offset: int, name: str) -> bytes:
    """Give an extra field after which the content of a member begins at a multiple of 64."""
    begins = offset + _LOCAL_HEADER + len(name) + _EXTRA_HEADER
    filled = -begins % _ALIGNMENT
    return _FILLER.to_bytes(2, "little") + filled.to_bytes(2, "little") + bytes(filled)


def _parse(file: BinaryIO, content: npt.NDArray[np.uint8]) -> Members:
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
    return Members(key, manifest, keys, arrays)


def _lists_of(
    arrays: Mapping[str, npt.NDArray[Any]],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.integer]]:
    return _integers(arrays, "offsets").astype(np.int64), _integers(arrays, "tracks")


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


def _are_scores(offsets: npt.NDArray[np.integer], scores: npt.NDArray[Any], entries: int) -> bool:
    if scores.dtype != np.dtype("f4") or len(scores) != entries or not np.isfinite(scores).all():
        return False
    rises = scores[1:] > scores[:-1]
    rises[offsets[1:-1] - 1] = False  # from one list to the next
    return not rises.any()


def _find_repeat(offsets: npt.NDArray[np.integer], tracks: npt.NDArray[np.integer]) -> int | None:
    """Find a list that has a track twice; return its row, or None if there is none."""
    lengths = np.diff(offsets)
    for length in np.unique(lengths[lengths > 1]).tolist():
        rows = np.flatnonzero(lengths == length)
        # Lists of one length are a table, and sorting its rows puts equal tracks side by side.
        at_once = max(1, BLOCK // length)
        for block in (rows[start : start + at_once] for start in range(0, len(rows), at_once)):
            table = np.sort(_table(block, length, offsets, tracks), axis=1)
            repeated = (table[:, 1:] == table[:, :-1]).any(axis=1)
            if repeated.any():
                return int(block[repeated.argmax()])
    return None


def _table(
    rows: npt.NDArray[np.integer],
    length: int,
    offsets: npt.NDArray[np.integer],
    tracks: npt.NDArray[np.integer],
) -> npt.NDArray[np.integer]:
    """The lists of these rows, all of one length, below each other."""
    if rows[-1] - rows[0] + 1 == len(rows):  # side by side: a view costs a tenth of a selection
        start = int(offsets[rows[0]])
        return tracks[start : start + len(rows) * length].reshape(len(rows), length)
    table: npt.NDArray[np.integer] = tracks[offsets[rows][:, None] + np.arange(length)]
    return table
