"""The collector: gathers the listens of an importer, and counts the lines that it cannot use."""

import hashlib
from array import array
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import orjson

from core.catalog import Catalog, TrackId, is_id
from core.errors import Fault, InputError
from core.progress import SILENT, Progress
from training.interactions import Interactions, assemble, checksum, save_table

PATIENCE = 1000
"""Bad lines without a single good one after which the file counts as a wrong file."""

_EXAMPLES = 5


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """Options of an import.

    Attributes:
        columns: Meaning -> name of its column, for `table`.
        percent: Whether the time of `table` is in percent and not a share.
        artists: File of (artist_id, item_id), for `yambda`.
        gap_s: Silence after which a new session begins, where the format has no sessions.
        min_plays: Tracks played less often are left out, a count.
        most_tracks: Number of tracks to keep, the most played ones; None for all.
        progress: Shows the bytes read.
    """

    columns: Mapping[str, str] = field(default_factory=dict)
    percent: bool = False
    artists: Path | None = None
    gap_s: float = 1800
    min_plays: int = 1
    most_tracks: int | None = None
    progress: Progress = SILENT


class BadLine(Exception):
    """A line that cannot be used.

    Attributes:
        column: Place of the fault in the line, from 1.
        reason: The fault, in the same words for the same fault, so that it can be counted.
        got: The value that was found; `...` where the reason already says it.
    """

    def __init__(self, column: int, reason: str, got: object = ...) -> None:
        super().__init__(reason)
        self.column = column
        self.reason = reason
        self.got = got


class Collector:
    """A collection of listens as columns of numbers, about 30 bytes each for a text of any length.

    Attributes:
        kind: Name of the format, for messages.
        good: Lines used.
        bad: Reason -> lines that could not be used.
        notes: Correction, or reason to leave lines out -> number of lines.
        examples: The first few bad lines, each with file, line and column.
        sources: File -> SHA-256.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.good = 0
        self.bad: Counter[str] = Counter()
        self.notes: Counter[str] = Counter()
        self.examples: list[Fault] = []
        self.sources: dict[str, str] = {}
        self._users: dict[str, int] = {}
        self._ids: list[TrackId] = []
        self._names: list[tuple[str, str]] = []
        self._by_id: dict[str, int] = {}
        self._by_name: dict[tuple[str, str], int] = {}
        self._user, self._track = array("i"), array("i")
        self._time, self._at = array("f"), array("q")
        self._session, self._position, self._plays = array("q"), array("i"), array("i")
        self._sessions: dict[str, int] = {}

    def source(self, path: Path) -> None:
        """Record a file that is read."""
        self.sources[path.name] = checksum(path)

    def reject(self, path: Path, number: int, fault: BadLine) -> None:
        """Count a bad line.

        Raises:
            InputError: None of the first lines can be used, so this is a wrong file.
        """
        self.bad[fault.reason] += 1
        if len(self.examples) < _EXAMPLES:
            got = "" if fault.got is ... else f", got {_short(fault.got)}"
            where = f"{path}:{number}:{fault.column}"
            self.examples.append(Fault(where, f"{fault.reason}{got}"))
        if not self.good and self.bad.total() >= PATIENCE:
            raise self._wrong_file()

    def track(self, id_: TrackId, artist: str = "", title: str = "") -> int:
        """Code of the track with this id; artist and title come from its first line."""
        code = self._by_id.get(str(id_))
        if code is None:
            if not is_id(id_):
                raise BadLine(1, "track id must have 1 to 256 characters", id_)
            code = self._by_id[str(id_)] = len(self._ids)
            self._ids.append(id_)
            self._names.append((artist.strip() or f"(unknown artist of {id_})", title.strip()))
        return code

    def named_track(self, id_: str, artist: str, title: str) -> int:
        """Code of a track that may lack an id: the same names mean the same track.

        A track without any id gets one from its names, the same in every import.
        """
        code = self._by_id.get(id_) if id_ else None
        if code is not None:
            return code
        name = (artist.casefold(), title.casefold())
        code = self._by_name.get(name) if title else None
        if code is None:
            made = hashlib.blake2b("\0".join(name).encode(), digest_size=8).hexdigest()
            code = self.track(id_ or f"n{made}", artist, title)
            if title:
                self._by_name[name] = code
        elif id_:
            self._by_id[id_] = code
        return code

    def add(
        self,
        user: str,
        track: int,
        at_ms: int,
        time: float = 1.0,
        *,
        session: str | None = None,
        position: int = -1,
        plays: int = 1,
    ) -> None:
        """Add one listen; the importer has checked its values."""
        self._user.append(self._users.setdefault(user, len(self._users)))
        self._track.append(track)
        self._at.append(at_ms)
        self._time.append(time)
        self._plays.append(plays)
        self._session.append(
            -1 if session is None else self._sessions.setdefault(session, len(self._sessions))
        )
        self._position.append(position)
        self.good += 1

    def finish(self, options: ImportOptions, *, stamped: bool = True) -> Interactions:
        """Make the training table with its catalog, most played track first.

        Args:
            options: Which tracks to keep, and how to cut sessions.
            stamped: Whether each listen has a time of its own. Two rows with the same listener,
                track and time are then one listen that was recorded twice.

        Raises:
            InputError: More lines are bad than good, or no track is left.
        """
        if self.bad.total() > self.good:
            raise self._wrong_file()
        track = np.array(self._track, dtype=np.int32)
        plays = np.array(self._plays, dtype=np.int32)
        user, at = np.array(self._user, dtype=np.int32), np.array(self._at, dtype=np.int64)
        keep = np.ones(len(track), dtype=bool)
        place = np.arange(len(track))
        if stamped:
            place = place * _direction(user, at)
            keep = _first_of_equals(user, track, at)
            self.notes["same listener, track and time again"] += int(np.sum(~keep))
        counts = np.bincount(track[keep], weights=plays[keep], minlength=len(self._ids))
        enough = np.flatnonzero(counts >= max(1, options.min_plays))
        ranked = sorted(enough.tolist(), key=lambda code: (-counts[code], str(self._ids[code])))
        ranked = ranked[: options.most_tracks]
        if not ranked:
            raise InputError.one(
                ", ".join(self.sources) or self.kind,
                f"no track has {options.min_plays} plays; {self.good} listens were read. "
                "Lower --min-plays",
            )
        index = np.full(len(self._ids), -1, dtype=np.int32)
        index[ranked] = np.arange(len(ranked))
        rare = keep & (index[track] < 0)
        self.notes["track played too seldom"] += int(np.sum(rare))
        self.notes = +self.notes
        keep &= ~rare
        catalog = Catalog(
            [self._ids[code] for code in ranked],
            [self._names[code][0] for code in ranked],
            [self._names[code][1] for code in ranked],
        )
        session = np.array(self._session, dtype=np.int64)
        position = np.array(self._position, dtype=np.int32)
        given = bool(np.all(session >= 0))
        if not given:
            self.notes["session not given, cut by silence"] += int(np.sum(session >= 0))
            self.notes = +self.notes
        return assemble(
            user[keep],
            index[track[keep]],
            np.array(self._time, dtype=np.float32)[keep],
            at[keep],
            list(self._users),
            catalog,
            self.sources,
            session=session[keep] if given else None,
            position=position[keep] if given and position.min() >= 0 else None,
            place=place[keep],
            plays=plays[keep],
            gap_s=options.gap_s,
        )

    def _wrong_file(self) -> InputError:
        first = self.examples[0] if self.examples else None
        reason = "" if first is None else f"{first.what} (the first of {self.bad.total()} bad lines"
        where = ", ".join(self.sources) if first is None else first.where
        return InputError.one(
            where, f"{reason}, {self.good} good). Is this a file of the kind '{self.kind}'?"
        )


def write_import(folder: Path, table: Interactions, collector: Collector) -> None:
    """Write tracks.jsonl, top_tracks.json and interactions.parquet."""
    folder.mkdir(parents=True, exist_ok=True)
    catalog = table.catalog
    with (folder / "tracks.jsonl").open("wb") as file:
        for index in range(len(catalog)):
            file.write(orjson.dumps(catalog.describe(index), option=orjson.OPT_APPEND_NEWLINE))
    (folder / "top_tracks.json").write_bytes(orjson.dumps(catalog.ids))
    about = {"import": collector.kind, "bad": dict(collector.bad), "notes": dict(collector.notes)}
    save_table(folder / "interactions.parquet", table, about)


def _direction(user: np.ndarray, at: np.ndarray) -> int:
    """1 if the rows are oldest first, -1 if newest first; this orders rows of equal times."""
    same = user[1:] == user[:-1]
    steps = np.sign(np.diff(at))[same]
    return -1 if steps.sum() < 0 else 1


def _first_of_equals(user: np.ndarray, track: np.ndarray, at: np.ndarray) -> np.ndarray:
    order = np.lexsort((np.arange(len(user)), at, track, user))
    again = np.zeros(len(user), dtype=bool)
    again[1:] = (
        (user[order][1:] == user[order][:-1])
        & (track[order][1:] == track[order][:-1])
        & (at[order][1:] == at[order][:-1])
    )
    first = np.ones(len(user), dtype=bool)
    first[order[again]] = False
    return first


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
