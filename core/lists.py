"""Lists: for each track, or for each listener, an ordered list of tracks to recommend.

On disk a list file is an uncompressed .npz: arrays `tracks` (all lists in a row), `offsets` (the
start of each list), `keys`, and a JSON `manifest`. A sealed copy of it is mapped, and never the
file itself. The JSON lines of botify load as well, only slower.
"""

import hashlib
import json
import zipfile
import zlib
from array import array
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.lib.format as npy
import numpy.typing as npt

from core.candidates import Candidates
from core.catalog import UNKNOWN, Catalog, id_fault, is_id, known_tracks
from core.errors import Faults, InputError
from core.jsonl import records_in
from core.sealed import checksum_of, read_whole, sealed_copy

FORMAT = 1
BLOCK = 1 << 22
"""Tracks that are compared at once when a file is checked; it bounds the memory for that."""

Key = Literal["track", "user"]
Row = Sequence[int] | npt.NDArray[np.integer]


class Lists:
    """Ordered lists of tracks by track or by listener.

    Attributes:
        key: Whether the lists are keyed by track or by listener.
        manifest: How the lists were made; free-form apart from `format`, `key` and `catalog`.
        checksum: SHA-256 of the lists' content in hex.
    """

    def __init__(
        self,
        key: Key,
        keys: Sequence[int] | Sequence[str],
        offsets: npt.NDArray[np.integer],
        tracks: npt.NDArray[np.integer],
        catalog: Catalog,
        manifest: Mapping[str, Any],
        checksum: str,
    ) -> None:
        self.key = key
        self.keys = keys
        self.offsets = offsets
        self.tracks = tracks
        self.manifest = manifest
        self.checksum = checksum
        # Arrays and not lists of integers: a look-up then reads one place in memory, not two.
        self._starts = array("q", offsets.astype(np.int64).tobytes())
        if key == "track":
            rows = np.full(len(catalog) + 1, -1, dtype=np.int64)
            rows[np.asarray(keys, dtype=np.int64)] = np.arange(len(keys))
            self._row_of_track = array("q", rows.tobytes())  # index -1, UNKNOWN, is the last one
        else:
            self._row_of_user = {str(user): row for row, user in enumerate(keys)}

    def __len__(self) -> int:
        return len(self.keys)

    def of_track(self, track: int) -> Candidates | None:
        """The list of a track (an index or `UNKNOWN`), or None."""
        row = self._row_of_track[track]
        return None if row < 0 else self._row(row)

    def of_user(self, user: str) -> Candidates | None:
        """The list of a listener, or None."""
        row = self._row_of_user.get(user)
        return None if row is None else self._row(row)

    def _row(self, row: int) -> Candidates:
        return Candidates(self.tracks[self._starts[row] : self._starts[row + 1]])


def save_lists(
    path: Path,
    key: Key,
    rows: Mapping[int, Row] | Mapping[str, Row],
    catalog: Catalog,
    about: Mapping[str, Any],
) -> None:
    """Write a list file that the server maps into memory; same input, same bytes.

    Args:
        path: The file; replaced as a whole, so that a server never sees half of it.
        key: Whether `rows` is keyed by track or by listener.
        rows: Catalog indices by track index or by listener id, best first, none empty.
        catalog: The catalog that the indices belong to.
        about: Entries for the manifest: how the lists were made.

    Raises:
        InputError: The file cannot be written.
    """
    ordered: list[Any] = sorted(rows) if key == "track" else list(rows)
    lengths = [len(rows[k]) for k in ordered]
    assert all(lengths), "a list file has no empty list"
    assert all(len(set(row)) == len(row) for row in rows.values()), "a list has each track once"
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    tracks = np.concatenate([np.asarray(rows[k], dtype=np.int64) for k in ordered])
    small = np.uint16 if len(catalog) <= 1 << 16 else np.int32
    manifest = {**about, "format": FORMAT, "key": key, "catalog": catalog.checksum}
    keys = (
        np.asarray(ordered, dtype=np.int32)
        if key == "track"
        else np.frombuffer(json.dumps([str(k) for k in ordered]).encode(), dtype=np.uint8)
    )
    members = {
        "manifest": np.frombuffer(json.dumps(manifest, sort_keys=True).encode(), dtype=np.uint8),
        "keys": keys,
        "offsets": offsets.astype(np.int64),
        "tracks": tracks.astype(small),
    }
    part = path.with_name(path.name + ".part")
    try:
        with zipfile.ZipFile(part, "w", zipfile.ZIP_STORED) as archive:
            for name, values in members.items():
                with archive.open(zipfile.ZipInfo(name + ".npy"), "w") as member:
                    npy.write_array(member, values, version=(1, 0), allow_pickle=False)
        part.replace(path)
    except OSError as error:
        raise InputError.one(
            str(path), f"cannot be written: {error.strerror or error}. Name a different file"
        ) from error
    finally:
        part.unlink(missing_ok=True)  # still there only after an error or an interrupt


def load_lists(path: Path, catalog: Catalog, known: Iterable[Lists] = ()) -> Lists:
    """Take a sealed copy of a list file, or read lists in JSON lines, for this catalog.

    Args:
        path: The file.
        catalog: The catalog of its track ids.
        known: Lists of the same catalog; the one with the same content is returned, not loaded
            again, so that a reload needs no memory for lists that did not change.

    Raises:
        InputError: The file is missing, damaged, empty, of a different catalog, or has unknown
            tracks, or a track twice in one list.
    """
    by_checksum = {each.checksum: each for each in known}
    if by_checksum and (found := by_checksum.get(checksum_of(path))) is not None:
        return found
    if path.suffix == ".npz":
        return _map_lists(path, catalog)
    return read_lists(path, catalog)


def read_lists(path: Path, catalog: Catalog, drop_unknown: bool = False) -> Lists:
    """Read JSON lines of {"user", "tracks"}, {"track", "recommendations"} or {"item_id", ...}.

    Args:
        path: The file.
        catalog: The catalog of its track ids.
        drop_unknown: Leave out tracks that the catalog does not have, instead of reporting them as
            faults; the manifest counts them, and lists without a known track, under `dropped`.

    Raises:
        InputError: Every faulty line, by number.
    """
    # The checks of a line stand in one order on purpose: an owner before its tracks, dropping
    # before the check for known tracks, so that each line yields one fault, its first. A user named
    # 7 and a track 7 are different owners, which is why the two kinds of key cannot mix.
    faults = Faults()
    rows: dict[Any, npt.NDArray[np.int32]] = {}
    kinds: set[Key] = set()
    dropped = {"tracks": 0, "lists": 0}
    content = read_whole(path)
    for number, record in records_in(content, path, faults):
        where = f"{path}:{number}"
        key: Key = "user" if "user" in record else "track"
        owner = record.get("user", record.get("track", record.get("item_id")))
        ids = record.get("tracks", record.get("recommendations"))
        if not is_id(owner):
            faults.add(where, f'"user", "track" or "item_id" {id_fault(owner)}')
            continue
        if not isinstance(ids, list) or not ids:
            faults.add(where, 'must have "tracks" or "recommendations", an array of track ids')
            continue
        row_key: int | str = str(owner) if key == "user" else catalog.index_of(owner)
        if drop_unknown:
            known = [t for t in ids if not is_id(t) or catalog.index_of(t) != UNKNOWN]
            dropped["tracks"] += len(ids) - len(known)
            ids = known
            if row_key == UNKNOWN or not ids:
                dropped["lists"] += 1
                continue
        if row_key == UNKNOWN:
            faults.add(where, f"track {owner!r} is not in the catalog")
        elif row_key in rows:
            faults.add(where, f"{key} {owner!r} already has a list in a line above")
        else:
            kinds.add(key)
            try:
                rows[row_key] = known_tracks(where, ids, catalog)
            except InputError as error:
                faults.extend(error)
    if len(kinds) == 2:
        faults.add(
            str(path),
            "must be keyed by track or by user, has lines of both. Split it into two files",
        )
    if not rows and not faults.found:
        faults.add(str(path), "must have at least one list, has none")
    faults.raise_if_any()
    (kind,) = kinds
    lengths = [len(row) for row in rows.values()]
    offsets = np.concatenate([[0], np.cumsum(lengths, dtype=np.int64)])
    tracks = np.concatenate(list(rows.values()))
    digest = hashlib.sha256(content).hexdigest()
    manifest: dict[str, Any] = {
        "format": FORMAT,
        "key": kind,
        "catalog": catalog.checksum,
        "model": "imported",
    }
    if drop_unknown:
        manifest["dropped"] = dropped
    return Lists(kind, list(rows), offsets, tracks, catalog, manifest, digest)


def _map_lists(path: Path, catalog: Catalog) -> Lists:
    """Map a sealed copy of a list file, and check it whole, so that requests need not check it.

    numpy reads a negative index from the end of an array, so a damaged list would not fail at a
    request: the server would play a wrong track. The file must be refused here.
    """
    where = str(path)
    copy = sealed_copy(path)
    content = copy.content
    try:
        with copy.file, zipfile.ZipFile(copy.file) as archive:
            arrays = {
                info.filename.removesuffix(".npy"): _member(archive, info, content)
                for info in archive.infolist()
            }
        manifest = json.loads(arrays["manifest"].tobytes())
        key, offsets, tracks = manifest["key"], arrays["offsets"], arrays["tracks"]
        if key not in ("track", "user"):
            raise ValueError(f"keyed by {key!r}")
        raw = arrays["keys"]
        keys = raw.tolist() if key == "track" else json.loads(raw.tobytes())
    except (zipfile.BadZipFile, ValueError, KeyError, TypeError) as error:
        raise InputError.one(
            where,
            f"must be a list file that segue wrote, but is damaged or foreign ({error}). "
            "Make it again with `segue lists` or `segue train`",
        ) from error
    if manifest.get("format") != FORMAT:
        raise InputError.one(
            where,
            f"must be of format {FORMAT}, is {manifest.get('format')!r}. "
            "Make it again with `segue lists` or `segue train`",
        )
    if manifest.get("catalog") != catalog.checksum:
        raise InputError.one(
            where,
            "was made for a different catalog (checksum "
            f"{str(manifest.get('catalog'))[:12]}..., this one has {catalog.checksum[:12]}...). "
            "Make the lists again with this catalog",
        )
    is_consistent = (
        len(keys) > 0
        and len(set(keys)) == len(keys)
        and (key == "user" or 0 <= min(keys) <= max(keys) < len(catalog))
        and len(offsets) == len(keys) + 1
        and int(offsets[0]) == 0
        and int(offsets[-1]) == len(tracks)
        and bool(np.all(np.diff(offsets) > 0))
        and int(tracks.max()) < len(catalog)
        and int(tracks.min()) >= 0
    )
    if not is_consistent:
        raise InputError.one(
            where,
            "must have one list for each key, of known tracks, none empty; this does not hold. "
            "Make it again with `segue lists` or `segue train`",
        )
    if (row := _find_repeat(offsets, tracks)) is not None:
        owner = catalog.ids[keys[row]] if key == "track" else keys[row]
        raise InputError.one(
            where,
            f"must have each track once in a list; the list of {key} {owner!r} has one twice. "
            "Make it again with `segue lists` or `segue train`",
        )
    digest = hashlib.sha256(content.data).hexdigest()
    return Lists(key, keys, offsets, tracks, catalog, manifest, digest)


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


def _member(
    archive: zipfile.ZipFile, info: zipfile.ZipInfo, content: npt.NDArray[np.uint8]
) -> npt.NDArray[Any]:
    """A view of one array of a stored .npz in the mapped copy; its CRC-32 is compared first."""
    if info.compress_type != zipfile.ZIP_STORED:
        raise ValueError(f"{info.filename} is compressed, so it cannot be mapped")
    with archive.open(info) as member:
        version = npy.read_magic(member)
        if version != (1, 0):
            raise ValueError(f"{info.filename} has npy version {version}")
        shape, _, dtype = npy.read_array_header_1_0(member)
        header = member.tell()
    # A local file header has 30 bytes: at 26 and 28 the lengths of the name and the extra field.
    local = content[info.header_offset : info.header_offset + 30]
    name_length, extra_length = local[26:30].view("<u2").tolist()
    start = info.header_offset + 30 + name_length + extra_length + header
    if zlib.crc32(content[start - header : start - header + info.file_size].data) != info.CRC:
        raise ValueError(f"Bad CRC-32 for file {info.filename!r}")  # as zipfile says it
    size = int(np.prod(shape)) * dtype.itemsize
    # frombuffer and not memmap slicing: a memmap pays a microsecond for every slice.
    return np.frombuffer(content, dtype=np.uint8)[start : start + size].view(dtype).reshape(shape)
