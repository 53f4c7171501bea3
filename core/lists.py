"""Lists: for each track, or for each listener, an ordered list of tracks to recommend.

On disk a list file is an uncompressed .npz: arrays `tracks` (all lists in a row), `offsets` (the
start of each list), `keys`, and a JSON `manifest`; `scores` too, one for each track, where the
model gave some. A sealed copy of it is mapped, and never the file itself. The JSON lines of botify
load as well, only slower.
"""

import hashlib
import json
from array import array
from collections.abc import Iterable, Mapping, Sequence
from itertools import compress, pairwise
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from core.archive import FORMAT, Key, named_keys, read_archive, write_archive
from core.candidates import Candidates
from core.catalog import FAULTS_SHOWN, UNKNOWN, Catalog, id_fault, is_id, known_tracks
from core.errors import Faults, InputError
from core.jsonl import records_in
from core.sealed import read_whole, same_content, sealed_copy

Row = Sequence[int] | npt.NDArray[np.integer]

_LARGEST_SCORE = float(np.finfo(np.float32).max)
"""A list file holds scores as float32; a larger one would be infinite there."""


class Lists:
    """Ordered lists of tracks by track or by listener.

    Attributes:
        key: Whether the lists are keyed by track or by listener.
        manifest: How the lists were made; free-form apart from `format`, `key` and `catalog`.
        checksum: SHA-256 of the lists' content in hex.
        scores: float32, one for each of `tracks`, never rising within a list; None without scores.
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
        scores: npt.NDArray[np.float32] | None = None,
    ) -> None:
        self.scores = scores
        self.key = key
        self.keys = keys
        self.offsets = offsets
        self.tracks = tracks
        self.manifest = manifest
        self.checksum = checksum
        # Arrays and not lists of integers: a look-up then reads one place in memory, not two.
        self._starts = array("q", offsets.astype(np.int64).tobytes())
        self._bounds = np.frombuffer(self._starts, dtype=np.int64)
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

    def row_of_track(self, track: int) -> int:
        """The row of a track's list (an index or `UNKNOWN`), for `head`; -1 without a list."""
        return self._row_of_track[track]

    def row_of_user(self, user: str) -> int:
        """The row of a listener's list, for `head`; -1 without a list."""
        return self._row_of_user.get(user, -1)

    def head(self, row: int, depth: int) -> npt.NDArray[np.integer]:
        """The first `depth` tracks of the list of a row, as catalog indices."""
        start = self._starts[row]
        return self.tracks[start : min(start + depth, self._starts[row + 1])]

    def relative_scores(self) -> npt.NDArray[np.float32] | None:
        """Give each score as a share of the first score of its list, in [0, 1]; None without.

        A list whose first score is not above 0 has shares of 0.
        """
        if self.scores is None:
            return None
        first = np.repeat(self.scores[self.offsets[:-1]], np.diff(self.offsets))
        shares = np.where(first > 0, self.scores / np.where(first > 0, first, 1), 0)
        return np.maximum(shares, 0).astype(np.float32)

    def bounds(self, row: int, depth: int) -> slice:
        """Give where the first `depth` tracks of the list of a row stand in `tracks`."""
        start = self._starts[row]
        return slice(start, min(start + depth, self._starts[row + 1]))

    def heads(
        self, rows: Sequence[int], depth: int
    ) -> tuple[npt.NDArray[np.integer], npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """The first `depth` tracks of several lists, one list after the other.

        Returns:
            Catalog indices, the position of each track's list in `rows`, and the track's place in
            its list, from 0.
        """
        bounds = self._bounds
        at = np.array(rows, dtype=np.int64)
        starts = bounds[at]
        lengths = np.minimum(bounds[at + 1] - starts, depth)
        owners = np.repeat(np.arange(len(at)), lengths)
        places = np.arange(len(owners)) - (np.cumsum(lengths) - lengths)[owners]
        return self.tracks[starts[owners] + places], owners, places

    def _row(self, row: int) -> Candidates:
        return Candidates(self.tracks[self._starts[row] : self._starts[row + 1]])


def save_lists(
    path: Path,
    key: Key,
    rows: Mapping[int, Row] | Mapping[str, Row],
    catalog: Catalog,
    about: Mapping[str, Any],
    scores: Mapping[Any, Any] | None = None,
) -> None:
    """Write a list file that the server maps into memory; same input, same bytes.

    Args:
        path: The file; replaced as a whole, so that a server never sees half of it.
        key: Whether `rows` is keyed by track or by listener.
        rows: Catalog indices by track index or by listener id, best first, none empty.
        catalog: The catalog that the indices belong to.
        about: Entries for the manifest: how the lists were made.
        scores: For each list the scores of its tracks, finite, none above the one before.

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
    write_archive(
        path,
        {
            "manifest": np.frombuffer(
                json.dumps(manifest, sort_keys=True).encode(), dtype=np.uint8
            ),
            "keys": named_keys(key, ordered),
            "offsets": offsets.astype(np.int64),
            "tracks": tracks.astype(small),
            **({} if scores is None else {"scores": _joined_scores(scores, ordered, lengths)}),
        },
    )


def _joined_scores(
    scores: Mapping[Any, Any], ordered: Sequence[Any], lengths: Sequence[int]
) -> npt.NDArray[np.float32]:
    rows = [np.asarray(scores[key], dtype=np.float32) for key in ordered]
    assert [len(row) for row in rows] == list(lengths), "a list has one score for each track"
    return np.concatenate(rows)


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
    if (found := same_content(path, known)) is not None:
        return found
    if path.suffix == ".npz":
        return _map_lists(path, catalog)
    return read_lists(path, catalog)


def read_lists(path: Path, catalog: Catalog, drop_unknown: bool = False) -> Lists:
    """Read JSON lines of {"user", "tracks"}, {"track", "recommendations"} or {"item_id", ...}.

    A line may have `scores` too, a number for each track, which never rise. All lines have them, or
    none.

    An empty list is a track or a listener without a list; the manifest counts them under `empty`.

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
    faults = Faults(FAULTS_SHOWN)
    rows: dict[Any, npt.NDArray[np.int32]] = {}
    scores: dict[Any, list[float]] = {}
    kinds: set[Key] = set()
    dropped = {"tracks": 0, "lists": 0}
    empty = 0
    content = read_whole(path)
    for number, record in records_in(content, path, faults):
        where = f"{path}:{number}"
        key: Key = "user" if "user" in record else "track"
        owner = record.get("user", record.get("track", record.get("item_id")))
        ids = record.get("tracks", record.get("recommendations"))
        if not is_id(owner):
            faults.add(where, f'"user", "track" or "item_id" {id_fault(owner)}')
            continue
        if not isinstance(ids, list):
            faults.add(where, 'must have "tracks" or "recommendations", an array of track ids')
            continue
        if not ids:  # a track or a listener without a list
            empty += 1
            continue
        given = record.get("scores")
        if given is not None and not _are_scores(given, len(ids)):
            faults.add(where, '"scores" must be a finite number for each track, and never rise')
            continue
        row_key: int | str = str(owner) if key == "user" else catalog.index_of(owner)
        if drop_unknown:
            kept = [not is_id(t) or catalog.index_of(t) != UNKNOWN for t in ids]
            dropped["tracks"] += len(ids) - sum(kept)
            ids = list(compress(ids, kept))
            given = None if given is None else list(compress(given, kept))
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
                if given is not None:
                    scores[row_key] = given
            except InputError as error:
                faults.extend(error)
    if len(kinds) == 2:
        faults.add(
            str(path),
            "must be keyed by track or by user, has lines of both. Split it into two files",
        )
    if not rows and not faults.found:
        found = f"has {empty:,} empty ones" if empty else "has none"
        if dropped["lists"]:
            found += f"; {dropped['lists']:,} are of tracks that the catalog does not have"
        faults.add(str(path), f"must have at least one list, {found}")
    if scores and len(scores) < len(rows):
        faults.add(
            str(path),
            f"must have scores in all lines or in none, has them in {len(scores):,} of "
            f"{len(rows):,}. Add or remove them",
        )
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
    if empty:
        manifest["empty"] = empty
    joined = _joined_scores(scores, list(rows), lengths) if scores else None
    return Lists(kind, list(rows), offsets, tracks, catalog, manifest, digest, joined)


def _are_scores(given: object, count: int) -> bool:
    if not isinstance(given, list) or len(given) != count:
        return False
    if not all(type(each) in (int, float) and abs(each) <= _LARGEST_SCORE for each in given):
        return False
    return all(later <= earlier for earlier, later in pairwise(given))


def _map_lists(path: Path, catalog: Catalog) -> Lists:
    """Map a sealed copy of a list file, and check it whole, so that requests need not check it."""
    copy = sealed_copy(path)
    with copy.file:
        made = read_archive(path, copy.file, copy.content, catalog)
    digest = hashlib.sha256(copy.content.data).hexdigest()
    return Lists(
        made.key, made.keys, made.offsets, made.tracks, catalog, made.manifest, digest, made.scores
    )
