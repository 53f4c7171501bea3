"""The import writer: puts collected listens in order, and writes catalog and training table.

It works on one group of listeners after the other, so memory does not grow with the listens.
"""

from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson

from core.catalog import Catalog
from core.errors import InputError
from training.importers.collector import Collector
from training.importers.import_options import ImportOptions
from training.importers.import_summary import ImportSummary
from training.importers.listen_order import ListenOrder, in_order
from training.importers.listen_store import NO_TIME, Group, Listens
from training.training_table import TableWriter

FILES = ("tracks.jsonl", "top_tracks.json", "interactions.parquet")

REPEATED = "same listener, track and time again"
RARE = "track played too seldom"
UNTIMED = "time of the listen not given, other lines have one"
_CUT = "session not given everywhere, cut by silence"


def write_import(
    into: Collector, to: Path, options: ImportOptions, *, timed: bool
) -> ImportSummary:
    """Write `FILES` to the folder, all of them or none.

    Args:
        into: The listens.
        to: The folder; made if missing.
        options: Which tracks to keep, and how to cut sessions.
        timed: Whether the times are times of listens.

    Raises:
        InputError: More lines are bad than good, no track is left, or a file cannot be written.
    """
    into.flush()
    counts = into.counts
    if counts.bad.total() > into.good or not into.good:
        raise into.wrong_file()
    order = ListenOrder(
        timed=timed and counts.stamped > 0,
        newest_first=counts.rising < 0,
        by_session=counts.in_session == counts.rows,
        by_position=counts.in_session == counts.placed == counts.rows,
    )
    if 0 < counts.in_session < counts.rows:
        into.note(_CUT, counts.in_session)
    options.progress.start("sorting", counts.rows)
    groups = into.store.group(into.store.count_listeners(len(into.users)))
    rows, plays = _sort(into, groups, order, options)
    ranked = _rank(into, rows, plays, options)
    kept_rows = int(rows[ranked].sum())
    if rare := int(rows.sum()) - kept_rows:
        into.leave_out(RARE, rare)
    artists = [into.names[code][0] for code in ranked]
    catalog = Catalog(
        [into.ids[code] for code in ranked], artists, [into.names[code][1] for code in ranked]
    )
    index = np.full(len(into.ids), -1, dtype=np.int32)
    index[ranked] = np.arange(len(ranked))
    table = _Table(into, groups, order, index, options)
    _write_all(to, catalog, artists, table)
    assert table.rows == kept_rows
    return ImportSummary(
        kind=into.kind,
        lines=counts.lines,
        used=table.rows,
        bad=dict(counts.bad),
        left_out=dict(+counts.left_out),
        copies=into.copies,
        notes=dict(+counts.notes),
        files=into.files,
        ignored=into.ignored,
        examples=counts.examples,
        period_ms=table.period_ms if order.timed else None,
        origin=into.origin,
        sessions=table.sessions,
        listeners=table.listeners,
        tracks=len(catalog),
    )


def _sort(
    into: Collector, groups: list[Group], order: ListenOrder, options: ImportOptions
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Sort each group, and drop repeated and untimed listens; rows and plays by track."""
    tracks = len(into.ids)
    rows, plays = np.zeros(tracks, dtype=np.int64), np.zeros(tracks, dtype=np.int64)
    for group in groups:
        listens = into.store.read(group)
        if order.timed:
            has_time = listens["at"] != NO_TIME
            if not has_time.all():
                into.leave_out(UNTIMED, int(np.count_nonzero(~has_time)))
                listens = listens[has_time]
        else:
            listens["at"][listens["at"] == NO_TIME] = 0
        kept = in_order(listens, order)
        if len(kept) < len(listens):
            into.leave_out(REPEATED, len(listens) - len(kept))
        into.store.replace(group, kept)
        rows += np.bincount(kept["track"], minlength=tracks)
        plays += np.bincount(kept["track"], weights=kept["plays"], minlength=tracks).astype(int)
        options.progress.advance(len(listens))
    return rows, plays


def _rank(
    into: Collector,
    rows: npt.NDArray[np.int64],
    plays: npt.NDArray[np.int64],
    options: ImportOptions,
) -> list[int]:
    """Codes of the tracks to keep, most played first."""
    enough = np.flatnonzero((rows > 0) & (plays >= options.min_plays)).tolist()
    names = list(map(str, into.ids))
    enough.sort(key=names.__getitem__)
    ranked = np.array(enough, dtype=np.int64)
    ranked = ranked[np.argsort(-plays[ranked], kind="stable")]
    if not len(ranked):
        raise InputError.one(
            ", ".join(file.name for file in into.files[:3]),
            f"no track has {options.min_plays} plays; {into.good} listens were read. "
            "Lower --min-plays",
        )
    found: list[int] = ranked[: options.most_tracks].tolist()
    return found


class _Table:
    """The rows of the training table, group by group; they are counted as they are written."""

    def __init__(
        self,
        into: Collector,
        groups: list[Group],
        order: ListenOrder,
        index: npt.NDArray[np.int32],
        options: ImportOptions,
    ) -> None:
        self.rows = self.sessions = self.listeners = 0
        self.period_ms: tuple[int, int] | None = None
        self.into = into
        self._groups, self._order, self._index = groups, order, index
        self._options = options

    def columns(self) -> Iterator[dict[str, Any]]:
        """Columns of a group: as in `Interactions`, and the names of its listeners."""
        users = self.into.users
        self._options.progress.start("writing", self.into.counts.rows)
        for group in self._groups:
            listens = self.into.store.read(group)
            track = self._index[listens["track"]]
            if (kept := track >= 0).all():
                kept = slice(None)
            listens, track = listens[kept], track[kept]
            self._options.progress.advance(group.rows)
            if len(listens):
                yield self._session_columns(listens, track, users[group.first : group.end], group)

    def _session_columns(
        self, listens: Listens, track: npt.NDArray[np.int32], users: list[str], group: Group
    ) -> dict[str, Any]:
        user, at = listens["user"], listens["at"]
        fresh = np.ones(len(listens), dtype=bool)
        new_user = user[1:] != user[:-1]
        if self._order.by_session:
            fresh[1:] = new_user | (listens["session"][1:] != listens["session"][:-1])
        else:
            fresh[1:] = new_user | (np.diff(at) > self._options.gap_s * 1000)
        session = np.cumsum(fresh, dtype=np.int64) - 1
        begins = np.flatnonzero(fresh)
        columns = {
            "session": session + self.sessions,
            "position": (np.arange(len(listens)) - begins[session]).astype(np.int32),
            "user": user - group.first,
            "users": users,
            "track": track,
            "time": listens["time"],
            "at": at,
            "plays": listens["plays"],
        }
        self.rows += len(listens)
        self.sessions += len(begins)
        self.listeners += int(np.count_nonzero(new_user)) + 1
        first, last = self.period_ms or (int(at.min()), int(at.max()))
        self.period_ms = (min(first, int(at.min())), max(last, int(at.max())))
        return columns


def _write_all(to: Path, catalog: Catalog, artists: list[str], table: _Table) -> None:
    """Write all files beside their places, and then put them there."""
    is_new = not to.exists()
    parts = {name: to / f"{name}.part" for name in FILES}
    tracks, top, interactions = parts.values()
    try:
        to.mkdir(parents=True, exist_ok=True)
        with tracks.open("wb") as file:
            for track, artist, title in zip(catalog.ids, artists, catalog.titles, strict=True):
                about_track = {"track": track, "artist": artist, "title": title}
                file.write(orjson.dumps(about_track, option=orjson.OPT_APPEND_NEWLINE))
        top.write_bytes(orjson.dumps(catalog.ids))
        counts = table.into.counts
        about = {
            "import": table.into.kind,
            "lines": counts.lines,
            "bad": dict(counts.bad),
            "left_out": dict(counts.left_out),
            "copies": table.into.copies,
            "notes": dict(counts.notes),
        }
        sources = {file.name: file.checksum for file in table.into.files if not file.copy_of}
        with TableWriter(interactions, catalog, sources, about) as writer:
            for columns in table.columns():
                writer.write(columns)
        for name, part in parts.items():
            part.replace(to / name)
    except OSError as error:
        raise InputError.one(
            str(to), f"cannot be written: {error.strerror or error}. Name a different folder"
        ) from error
    finally:
        with suppress(OSError):  # the error that led here says more
            for part in parts.values():
                part.unlink(missing_ok=True)
            if is_new and not any(to.iterdir()):
                to.rmdir()
