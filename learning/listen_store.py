"""The listen store: all listens that the loop has read, so that each round reads new events only.

A session counts once, when it is over. `read.json` names the tables that count and says up to
which moment they reach. It is replaced as a whole after a table is written, so a killed round
counts nothing twice.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import orjson

from core.catalog import Catalog
from core.errors import EmptyLog, InputError
from core.progress import SILENT, Progress
from events.durable_files import make_folder, sync_file, write_file
from events.event_files import EventFile, find_event_files
from events.queries import read_query
from events.reader import open_log
from training.interactions import Interactions
from training.listen_sources import listens_of
from training.training_table import load_table, save_table

FOLDER = "listens"
STATE_FILE = "read.json"
LONGEST_SESSION_MS = 86_400_000
"""A file that ended so long before the moment up to which was read is never read again: a session
that began in it is over. The files after it are read whole, so that no session loses its start."""

_OPEN_SINCE = "SELECT min(started_ms) FROM sessions WHERE ended_by <> 'last' AND ended_ms > ?"
_NEWEST = (
    "SELECT f.path, max(e.at_ms) FROM files AS f LEFT JOIN events AS e USING (file_id) GROUP BY 1"
)


@dataclass(frozen=True, slots=True)
class ReadFile:
    """An event file as it was read: its size in bytes, and its last event, Unix time in ms."""

    size: int
    newest_ms: int


@dataclass(frozen=True, slots=True)
class ReadState:
    """The part of the log that has been read.

    Attributes:
        until_ms: Sessions that began before this moment have been counted.
        tables: File names of the tables.
        sessions: Number of sessions in them.
        files: Path -> the event file as it was read.
    """

    until_ms: int | None = None
    tables: Sequence[str] = ()
    sessions: int = 0
    files: dict[str, ReadFile] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Played:
    """The sessions that a strategy played, of listeners who got it first.

    Attributes:
        sessions: How many.
        time: Mean time of the recommendations of a session, in tracks.
        error: Standard error of the mean, clustered by listener.
    """

    sessions: int
    time: float
    error: float


@dataclass(frozen=True, slots=True)
class NewSessions:
    """The sessions that a round has read.

    Attributes:
        sessions: How many.
        played: Strategy of the arm -> its sessions.
    """

    sessions: int
    played: Mapping[str, Played]


class ListenStore:
    """The listens of one folder of versions.

    Args:
        folder: The folder.
        catalog: The catalog of the tracks.
        gap_s: Silence that ends a session, in seconds.
    """

    def __init__(self, folder: Path, catalog: Catalog, gap_s: float) -> None:
        self._folder = folder / FOLDER
        self._catalog = catalog
        self._gap_s = gap_s

    def read_new(
        self, logs: Sequence[Path], now_ms: int, is_over: bool, progress: Progress = SILENT
    ) -> NewSessions:
        """Read the sessions that are over and were not counted before, and keep them.

        Args:
            logs: Event files or folders.
            now_ms: Unix time in ms.
            is_over: Whether every session of the log is over, as after a simulated day.
            progress: Shows the work.

        Raises:
            InputError: A log or a table is faulty, or the folder is not writable.
        """
        state = self._state()
        margin_ms = 0 if is_over else LONGEST_SESSION_MS
        fresh = [each for each in find_event_files(logs) if _may_have_new(each, state, margin_ms)]
        if not fresh:
            return NewSessions(0, {})
        paths = [each.path for each in fresh]
        gap_ms = round(self._gap_s * 1000)
        try:
            opened = open_log(paths, since_ms=state.until_ms, gap_s=self._gap_s, progress=progress)
        except EmptyLog:
            if state.until_ms is None:
                raise
            return NewSessions(0, {})
        with opened as log:
            [(open_since,)] = log.query(_OPEN_SINCE, [now_ms - gap_ms])
            newest = dict(log.query(_NEWEST))
            where = ", ".join(map(str, logs))
            listens = listens_of(log, where, self._catalog, {}, progress)
            played = {
                row[0]: Played(*row[1:]) for row in log.query(read_query("learning", "played"))
            }
        if open_since is not None and not is_over:
            listens = listens.between(None, int(open_since))
        if not len(listens):
            return NewSessions(0, {})
        until = int(listens.at_ms[listens.starts[:-1]].max()) + 1
        if open_since is not None and not is_over:
            until = int(open_since)
        files = {
            str(each.path): ReadFile(each.size, _newest(str(each.path), newest, state))
            for each in fresh
        }
        name = f"{len(state.tables) + 1:05}.parquet"
        self._keep(
            name,
            listens,
            ReadState(
                until,
                (*state.tables, name),
                state.sessions + listens.sessions,
                {**state.files, **files},
            ),
        )
        return NewSessions(listens.sessions, played)

    @property
    def sessions(self) -> int:
        """Number of sessions that have been read."""
        return self._state().sessions

    def files_since(self, logs: Sequence[Path], since_ms: int) -> list[Path]:
        """List the event files that may have an event of this moment, Unix time in ms, or later.

        Raises:
            InputError: A log does not exist.
        """
        read = self._state().files
        return [
            each.path
            for each in find_event_files(logs)
            if (known := read.get(str(each.path))) is None or known.newest_ms >= since_ms
        ]

    def all(self) -> Interactions | None:
        """Load all listens; None before the first round.

        Raises:
            InputError: A table is missing or damaged.
        """
        tables = [load_table(self._folder / name, self._catalog) for name in self._state().tables]
        return join(tables) if tables else None

    def _keep(self, name: str, listens: Interactions, state: ReadState) -> None:
        try:
            make_folder(self._folder)
            save_table(self._folder / name, listens, {"from": "segue learn"})
            sync_file(self._folder / name)
            write_file(self._folder / STATE_FILE, orjson.dumps(asdict(state)))
        except OSError as error:
            raise InputError.one(
                str(error.filename or self._folder),
                f"cannot be written: {error.strerror or error}. Nothing has changed; make the "
                "folder writable",
            ) from error

    def _state(self) -> ReadState:
        path = self._folder / STATE_FILE
        try:
            content = orjson.loads(path.read_bytes())
            files = {name: ReadFile(**each) for name, each in content["files"].items()}
            tables = tuple(content["tables"])
            return ReadState(content["until_ms"], tables, content["sessions"], files)
        except FileNotFoundError:
            return ReadState()
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError.one(
                str(path),
                f"must say which events were read, and cannot be read ({error}). Remove the folder "
                f"{self._folder} to read the whole log again",
            ) from error


def join(tables: Sequence[Interactions]) -> Interactions:
    """Put tables one after another; a listener who is in several is one listener."""
    index: dict[str, int] = {}
    users, sessions, counted = [], [], 0
    for table in tables:
        own = np.array([index.setdefault(user, len(index)) for user in table.users], dtype=np.int32)
        users.append(own[table.user] if len(own) else table.user)
        sessions.append(table.session + counted)
        counted += table.sessions
    columns = ("position", "track", "time", "at_ms", "propensity", "plays", "weight")
    joined = {name: np.concatenate([getattr(table, name) for table in tables]) for name in columns}
    return Interactions(
        session=np.concatenate(sessions),
        user=np.concatenate(users),
        users=list(index),
        catalog=tables[0].catalog,
        sources={name: sum_ for table in tables for name, sum_ in table.sources.items()},
        **joined,
    )


def _newest(path: str, found: Mapping[str, int | None], state: ReadState) -> int:
    """Give the time of a file's last event; a round finds none before the sessions it reads."""
    before = state.files[path].newest_ms if path in state.files else 0
    return max(before, int(found.get(path) or 0))


def _may_have_new(file: EventFile, state: ReadState, margin_ms: int) -> bool:
    """Test whether a file grew since it was read, or may have a part of a session to count."""
    read = state.files.get(str(file.path))
    if read is None or read.size != file.size:
        return True
    return state.until_ms is not None and read.newest_ms >= state.until_ms - margin_ms
