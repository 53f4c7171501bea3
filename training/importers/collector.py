"""The collector: gathers the listens of an importer, and counts every line that it reads."""

import copy
import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from core.catalog import TrackId
from core.errors import Fault, InputError
from training.importers.bad_line import BadLine, shorten
from training.importers.ids import IdFault, parse_id
from training.importers.import_counts import Counts
from training.importers.import_summary import FileSummary
from training.importers.listen_store import LISTEN, NO_TIME, Listens, ListenStore

if TYPE_CHECKING:
    from hashlib import _Hash

PATIENCE = 1000
"""Bad lines without a single good one after which the file counts as a wrong file."""

_EXAMPLES = 5
_PENDING = 7 * 65536
"""Numbers that are kept before they go to the store: seven a listen."""


class Collector:
    """A collection of listens on the disk, with a code for each listener, track and session.

    Attributes:
        kind: Name of the format, for messages.
        counts: The counts so far.
        copies: Lines of files whose content was read before.
        files: The files read so far.
        ignored: Files of the folder whose names do not fit.
        origin: Meaning of the times, if they do not count from 1970.
        users: Listener ids by code.
        ids: Track ids by code.
        names: Artist and title by code of the track.
        store: The listens.
    """

    def __init__(self, kind: str, folder: Path) -> None:
        self.kind = kind
        self.counts = Counts()
        self.copies = 0
        self.files: list[FileSummary] = []
        self.ignored: list[str] = []
        self.origin = ""
        self.ids: list[TrackId] = []
        self.names: list[tuple[str, str]] = []
        self.store = ListenStore(folder)
        self._users: dict[str, int] = {}
        self._by_id: dict[str, int] = {}
        self._by_name: dict[tuple[str, str], int] = {}
        self._sessions: dict[str, int] = {}
        self._pending: list[float] = []
        self._by_checksum: dict[str, str] = {}

    @property
    def users(self) -> list[str]:
        """Listener ids by code."""
        return list(self._users)

    @property
    def good(self) -> int:
        """Listens gathered so far."""
        return self.counts.rows + len(self._pending) // 7

    @contextmanager
    def file(self, name: str) -> Iterator["_Hash"]:
        """Count the lines of one file during the block, which feeds its content to the hash.

        The same content a second time is a copy of a file: its lines count as copies, and nothing
        of them stays. It has no listener and no track that the first one does not have.
        """
        self.flush()
        before, digest = copy.deepcopy(self.counts), hashlib.sha256()
        yield digest
        self.flush()
        checksum = digest.hexdigest()
        lines, listens = self.counts.lines - before.lines, self.counts.rows - before.rows
        original = self._by_checksum.setdefault(checksum, name) if lines else name
        if original != name:
            self.store.truncate(before.rows)
            self.counts = before
            self.counts.lines += lines
            self.copies += lines
            listens = 0
        copied = original if original != name else None
        self.files.append(FileSummary(name, lines, listens, checksum, copied))

    def count(self, lines: int) -> None:
        """Count lines as read; each must end as a listen, as bad, or as left out."""
        self.counts.lines += lines

    def leave_out(self, reason: str, lines: int = 1) -> None:
        """Count lines as left out on purpose."""
        self.counts.left_out[reason] += lines

    def note(self, correction: str, listens: int = 1) -> None:
        """Count listens as corrected."""
        self.counts.notes[correction] += listens

    def reject(self, path: Path | str, number: int, fault: BadLine) -> None:
        """Count a bad line.

        Raises:
            InputError: None of the first lines can be used, so this is a wrong file.
        """
        bad, examples = self.counts.bad, self.counts.examples
        bad[fault.reason] += 1
        if len(examples) < _EXAMPLES:
            got = "" if fault.got is ... else f", got {shorten(fault.got)}"
            examples.append(Fault(f"{path}:{number}:{fault.column}", f"{fault.reason}{got}"))
        if not self.good and bad.total() >= PATIENCE:
            raise self.wrong_file()

    def listener(self, id_: object, column: int = 1) -> int:
        """Code of the listener with this id; `column` is its place in the line."""
        code = self.find_listener(id_)
        if code is None:
            user = str(self._id(id_, "user", column))
            code = self._users.setdefault(user, len(self._users))
        return code

    def track(self, id_: object, artist: str = "", title: str = "", column: int = 1) -> int:
        """Code of the track with this id; artist and title come from its first line."""
        code = self.find_track(id_)
        if code is None:
            track = self._id(id_, "track", column)
            code = self._by_id.setdefault(str(track), len(self.ids))
            if code == len(self.ids):
                self.ids.append(track)
                self.names.append((artist.strip() or f"(unknown artist of {track})", title.strip()))
        return code

    def find_listener(self, id_: object) -> int | None:
        """Code of a listener who was seen before; None if it was not, or is no id."""
        if isinstance(id_, str):
            return self._users.get(id_)
        return self._users.get(str(id_)) if type(id_) is int else None

    def find_track(self, id_: object) -> int | None:
        """Code of a track that was seen before; None if it was not, or is no id."""
        if isinstance(id_, str):
            return self._by_id.get(id_)
        return self._by_id.get(str(id_)) if type(id_) is int else None

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

    def session(self, listener: int, name: object) -> int:
        """Code of a session of a listener."""
        return self._sessions.setdefault(f"{listener}\0{name}", len(self._sessions))

    def add(
        self,
        listener: int,
        track: int,
        at_ms: int | None,
        time: float = 1.0,
        *,
        session: int = -1,
        position: int = -1,
        plays: int = 1,
    ) -> None:
        """Add one listen; the importer has checked its values."""
        at = NO_TIME if at_ms is None else at_ms
        self._pending.extend((listener, track, at, time, session, position, plays))
        if len(self._pending) >= _PENDING:
            self.flush()

    def add_many(
        self,
        listeners: npt.NDArray[np.integer],
        tracks: npt.NDArray[np.integer],
        at_ms: npt.NDArray[np.integer],
        time: npt.NDArray[np.floating],
    ) -> None:
        """Add listens from columns."""
        self.flush()
        listens = np.empty(len(tracks), dtype=LISTEN)
        listens["user"], listens["track"] = listeners, tracks
        listens["at"], listens["time"] = at_ms, time
        listens["session"], listens["position"], listens["plays"] = -1, -1, 1
        self._append(listens)

    def scale_times(self, lengths: Mapping[int, float], least: float) -> None:
        """Divide the time of each listen by the length of its track, `least` or more; at most 1."""
        self.flush()
        length = np.full(max(1, len(self.ids)), least)
        for track, found in lengths.items():
            length[track] = max(found, least)
        for start, listens in self.store.blocks():
            listens["time"] = np.minimum(listens["time"] / length[listens["track"]], 1)
            self.store.write(start, listens)

    def flush(self) -> None:
        """Move the listens that were added one by one to the store."""
        if not self._pending:
            return
        table = np.array(self._pending, dtype=np.float64).reshape(-1, 7)
        self._pending.clear()
        listens = np.empty(len(table), dtype=LISTEN)
        for place, name in enumerate(LISTEN.names or ()):
            listens[name] = table[:, place]
        self._append(listens)

    def wrong_file(self) -> InputError:
        """The error about files that are not of this format."""
        counts = self.counts
        bad = counts.bad.total()
        if not counts.examples:
            names = ", ".join(file.name for file in self.files[:3]) or self.kind
            if not counts.lines:
                return InputError.one(names, "has no listen, is empty")
            left_out = ", ".join(f"{lines} x {reason}" for reason, lines in counts.left_out.items())
            return InputError.one(names, f"has no listen; left out: {left_out}")
        first = counts.examples[0]
        reasons = [f"{lines} x {reason}" for reason, lines in counts.bad.most_common(4)]
        more = f": {'; '.join(reasons)}" if len(reasons) > 1 else ""
        return InputError.one(
            first.where,
            f"{first.what} (the first of {bad} bad lines, {self.good} good{more}). "
            f"Is this a file of the kind '{self.kind}'?",
        )

    def _append(self, listens: Listens) -> None:
        self.store.append(listens)
        counts = self.counts
        counts.rows += len(listens)
        counts.stamped += int(np.count_nonzero(listens["at"] != NO_TIME))
        counts.in_session += int(np.count_nonzero(listens["session"] >= 0))
        counts.placed += int(np.count_nonzero(listens["position"] >= 0))
        user = np.append(counts.last[0], listens["user"])
        at = np.append(counts.last[1], listens["at"])
        same = user[1:] == user[:-1]
        rises = np.count_nonzero(same & (at[1:] > at[:-1]))
        counts.rising += int(rises - np.count_nonzero(same & (at[1:] < at[:-1])))
        counts.last = (int(user[-1]), int(at[-1]))

    def _id(self, value: object, meaning: str, column: int) -> TrackId:
        try:
            return parse_id(value, meaning)
        except IdFault as fault:
            raise BadLine(column, str(fault), value) from None
