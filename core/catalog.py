"""The catalog: the tracks, their artists, and the order of their popularity."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TypeGuard

import numpy as np
import numpy.typing as npt
import orjson

from core.candidates import Candidates
from core.errors import Faults, InputError
from core.jsonl import read_records
from core.lines import text_in
from core.sealed import read_whole
from core.track_fields import FieldColumns, TrackField

TrackId = int | str

FAULTS_SHOWN = 10
"""Number of faulty lines of a file that are named; the rest is counted. A real file had 28,669."""

UNKNOWN = -1
"""Catalog index of a track that the catalog does not have."""


class Catalog:
    """All tracks, each under an index in 0..n-1; all code inside Segue uses indices.

    Ids are ints or strings. 7 and "7" name the same track: if they did not, a client that quotes
    its numbers would only ever get answers of the fallbacks.

    Attributes:
        ids: Track id by index, as the file has it.
        artists: Artist name by artist index.
        artist_of: int32, (tracks,), the artist index of each track.
        titles: Title by track index; "" where the file has none.
        everything: The whole catalog as candidates.
        fields: More facts about the tracks by name, from further columns of the file.
        checksum: SHA-256 of ids, artists and titles in order, in hex.
    """

    def __init__(
        self,
        ids: Sequence[TrackId],
        artists: Sequence[str],
        titles: Sequence[str],
        fields: Mapping[str, TrackField] | None = None,
    ) -> None:
        self.ids = list(ids)
        self.fields = dict(fields or {})
        self.titles = list(titles)
        codes: dict[str, int] = {}
        self.artist_of: npt.NDArray[np.int32] = np.array(
            [codes.setdefault(artist, len(codes)) for artist in artists], dtype=np.int32
        )
        self.artists = list(codes)
        order = np.argsort(self.artist_of, kind="stable")
        self._by_artist = order.astype(np.int32)
        starts = np.searchsorted(self.artist_of[order], np.arange(len(codes) + 1))
        self._artist_starts: list[int] = starts.tolist()
        self._index = {str(track): index for index, track in enumerate(self.ids)}
        self.everything = Candidates(range(len(self.ids)))
        digest = hashlib.sha256()
        for track, artist, title in zip(self.ids, artists, self.titles, strict=True):
            digest.update(orjson.dumps([track, artist, title]))
        self.checksum = digest.hexdigest()

    def __len__(self) -> int:
        return len(self.ids)

    def has_content_of(self, other: "Catalog") -> bool:
        """Test whether tracks and fields are the same."""
        return self.checksum == other.checksum and {
            name: each.checksum for name, each in self.fields.items()
        } == {name: each.checksum for name, each in other.fields.items()}

    def index_of(self, track: TrackId) -> int:
        """Index of a track id, or `UNKNOWN`."""
        return self._index.get(str(track), UNKNOWN)

    def by_artist_of(self, track: int) -> Candidates:
        """All tracks of the artist of `track` (an index, not `UNKNOWN`), itself included."""
        assert track >= 0, "the track must be in the catalog"
        artist = self.artist_of[track]
        start, end = self._artist_starts[artist], self._artist_starts[artist + 1]
        return Candidates(self._by_artist[start:end])

    def describe(self, index: int) -> dict[str, TrackId]:
        """Track, artist and title, as in the answer of `GET /tracks/{id}`."""
        artist = self.artists[self.artist_of[index]]
        return {"track": self.ids[index], "artist": artist, "title": self.titles[index]}


def load_catalog(path: Path) -> Catalog:
    """Read a catalog: JSON lines of track, artist and, if known, title.

    Raises:
        InputError: Lines are faulty (each is named by its number), or there is no track at all.
    """
    faults = Faults(FAULTS_SHOWN)
    ids: list[TrackId] = []
    artists: list[str] = []
    titles: list[str] = []
    seen: dict[str, int] = {}
    columns = FieldColumns(("track", "artist", "title"))
    for number, record in read_records(path, faults):
        where = f"{path}:{number}"
        track, artist, title = record.get("track"), record.get("artist"), record.get("title", "")
        if not is_id(track):
            faults.add(where, f"track {id_fault(track)}")
        elif str(track) in seen:
            faults.add(where, f"track {track!r} is already in line {seen[str(track)]}")
        elif not isinstance(artist, str) or not artist:
            faults.add(where, f"artist must be a non-empty string, got {artist!r}")
        elif not isinstance(title, str):
            faults.add(where, f"title must be a string, got {title!r}")
        else:
            seen[str(track)] = number
            ids.append(track)
            artists.append(artist)
            titles.append(title)
            columns.add(record)
    if not ids and not faults.found:
        faults.add(str(path), "must have at least one track, has none")
    faults.raise_if_any()
    return Catalog(ids, artists, titles, columns.fields())


def load_top(path: Path, catalog: Catalog) -> npt.NDArray[np.int32]:
    """Read a popularity list: one JSON array of track ids, most popular first.

    Returns:
        Catalog indices: int32, (list,).

    Raises:
        InputError: Not an array of known, distinct ids; or empty.
    """
    try:
        ids = orjson.loads(text_in(str(path), read_whole(path)))
    except orjson.JSONDecodeError as error:
        raise InputError.one(f"{path}:{error.lineno}", f"must be JSON: {error.msg}") from error
    if not isinstance(ids, list) or not ids:
        raise InputError.one(str(path), "must be a JSON array of at least one track id")
    return known_tracks(str(path), ids, catalog)


def known_tracks(where: str, ids: Sequence[object], catalog: Catalog) -> npt.NDArray[np.int32]:
    """Indices of track ids: int32, same order.

    Raises:
        InputError: Ids are not in the catalog (up to three are named), or are there twice.
    """
    indices = [catalog.index_of(track) if is_id(track) else UNKNOWN for track in ids]
    if UNKNOWN in indices:
        unknown = [track for track, index in zip(ids, indices, strict=True) if index == UNKNOWN]
        named = ", ".join(f"{track!r:.60}" for track in unknown[:3])
        more = f" and {len(unknown) - 3} more" if len(unknown) > 3 else ""
        raise InputError.one(
            where,
            f"{len(unknown)} of {len(ids)} tracks are not in the catalog: {named}{more}. "
            "Leave them out, or name the catalog that the list was made for",
        )
    seen: set[int] = set()
    for track, index in zip(ids, indices, strict=True):
        if index in seen:
            raise InputError.one(where, f"track {track!r} is there twice; each may be there once")
        seen.add(index)
    return np.array(indices, dtype=np.int32)


def is_id(value: object) -> TypeGuard[TrackId]:
    """Test whether `value` can be an id: an int, or an unpadded string of 1 to 256 characters.

    Floats, booleans and padded strings cannot: under such an id a listener would get a wrong arm.
    Nor can ints of more than 64 bits: the API refuses them, so nobody could report such a track.
    """
    if isinstance(value, str):
        return 0 < len(value) <= 256 and value == value.strip()
    return isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63


def id_fault(value: object) -> str:
    """Say what an id must be, after its name; `value` is none."""
    is_long = isinstance(value, int) and not isinstance(value, bool)
    hint = ". An int has at most 64 bits; write a longer one in quotation marks" if is_long else ""
    return f"must be an int or a non-empty string, got {value!r:.80}{hint}"
