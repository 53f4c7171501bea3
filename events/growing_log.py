"""A log whose files grow: each line is read once, and the tables are made again on demand."""

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from core.catalog import Catalog
from core.progress import SILENT
from events.duckdb_engine import DuckDbEngine
from events.duckdb_loader import (
    MEMORY_MB,
    create_tables,
    database,
    describe_loaded,
    load_lines,
    load_parquet,
    name_unreadable,
    parse_assignments,
)
from events.event_files import EventFile, find_event_files, read_pieces
from events.growing_file import GrowingFile
from events.line_validation import LINE_MARK, drop_duplicates, drop_faulty
from events.reader import GAP_S, SKIP_BELOW, EventLog, make_events, make_tables

if TYPE_CHECKING:
    import numpy.typing as npt

_KEPT = "('read_lines', 'read_drops')"
"""Tables that stay from one reading to the next; all others are made of them."""


class GrowingLog:
    """Event files and folders to which a server appends. Close it, or use `with`.

    `read` parses only what was appended since the last call: whole lines, because a line without
    its end is still being written. `tables` makes all tables of an `EventLog` of all lines so far.
    They equal those that `open_log` makes of the same lines.

    A file that is gone, shorter than it was or written again makes the next `read` begin from the
    start.

    Args:
        paths: Files, or folders, which are searched for new files at each `read`.
        gap_s: Silence that ends a session, in seconds.
        skip_below: Share heard below which a listen is a skip, in (0, 1].
        memory_mb: Memory that DuckDB may use.
        threads: Threads of DuckDB; all cores by default.
        folder: Folder for the tables; the system's temporary folder by default.
    """

    def __init__(
        self,
        paths: Sequence[str | Path],
        *,
        gap_s: float = GAP_S,
        skip_below: float = SKIP_BELOW,
        memory_mb: int = MEMORY_MB,
        threads: int | None = None,
        folder: Path | None = None,
    ) -> None:
        self.paths = list(paths)
        self.skip_below = skip_below
        kept = tempfile.TemporaryDirectory(prefix="segue-live-", dir=folder)
        self.con = database(Path(kept.name) / "log.duckdb", memory_mb, threads)
        self.engine = DuckDbEngine(self.con)
        self.log = EventLog(self.engine, kept, gap_s)
        self.files: dict[Path, GrowingFile] = {}
        self._begin()

    def read(self) -> bool:
        """Read what was appended since the last call; return whether the lines are different now.

        Raises:
            InputError: A path is missing or unreadable, or a folder has no event file yet.
        """
        found = {source.path.resolve(): source for source in find_event_files(self.paths)}
        again = any(known.began_again(found.get(path)) for path, known in self.files.items())
        if again:
            self.files.clear()
            self._begin()
        grown = [
            self._follow(path, source)
            for path, source in found.items()
            if path not in self.files or source.size != self.files[path].source.size
        ]
        self._number(found)
        before = sum(each.source.lines for each in self.files.values())
        if grown:
            self._load(grown)
        return again or sum(each.source.lines for each in self.files.values()) > before

    def tables(self, catalog: Catalog | None = None) -> EventLog:
        """Make the tables of all lines so far. The next call replaces them; do not close the log.

        Raises:
            InputError: There is no event.
        """
        sources = self._gather()
        path = sources[0].path if sources else Path(self.paths[0])
        make_tables(self.log, path, self.skip_below, (None, None), catalog, SILENT)
        return self.log

    def events(self) -> EventLog:
        """Make the tables of events alone, without sessions and listeners; see `tables`."""
        self._gather()
        make_events(self.log)
        return self.log

    def places(self) -> Mapping[Path, GrowingFile]:
        """Say how far each file was read."""
        return {path: each.copy() for path, each in self.files.items()}

    def marks(self) -> "dict[str, npt.NDArray[Any]]":
        """Give `file_id`, `line`, `mark` of the lines in the tables; repeated ones share a mark."""
        # A request with a key may be written again, so its lines have no mark.
        marks = f"SELECT file_id, line, {LINE_MARK} AS mark FROM loaded"  # noqa: S608
        return self.engine.arrays(f'{marks} WHERE "key" IS NULL')

    def go_on_from(self, places: Mapping[Path, GrowingFile]) -> None:
        """Forget every line, and read next what stands behind these places."""
        self._begin()
        self.files = {path: each.copy() for path, each in places.items()}

    def forget(self) -> None:
        """Forget every line; the next `read` goes on behind them."""
        self._begin()

    def lost_files(self) -> list[Path]:
        """List the files of which known lines are gone: they went, shrank or were replaced."""
        return [path for path, known in self.files.items() if known.is_lost()]

    def _gather(self) -> list[EventFile]:
        """Make the tables of lines, each of which is there once."""
        self._drop_tables()
        sources = sorted((each.source for each in self.files.values()), key=lambda s: s.file_id)
        self.con.execute("CREATE TABLE dropped_lines AS SELECT * FROM read_drops")
        if self._has_duplicates(sources):
            self.con.execute("CREATE TABLE loaded AS SELECT * FROM read_lines")
            drop_duplicates(self.engine, sources)
        else:
            self.con.execute("CREATE VIEW loaded AS SELECT * FROM read_lines")
        describe_loaded(self.engine, sources)
        return sources

    def close(self) -> None:
        """Delete the tables and free the memory."""
        self.log.close()

    def __enter__(self) -> "GrowingLog":
        return self

    def __exit__(self, *of: object) -> None:
        self.close()

    def _begin(self) -> None:
        """Forget every line."""
        self._drop_tables()
        for table in ("read_lines", "read_drops"):
            self.con.execute(f"DROP TABLE IF EXISTS {table}")
        create_tables(self.con)
        self.con.execute("ALTER TABLE loaded RENAME TO read_lines")
        self.con.execute("ALTER TABLE dropped_lines RENAME TO read_drops")

    def _follow(self, path: Path, source: EventFile) -> GrowingFile:
        known = self.files.setdefault(path, GrowingFile(source))
        if not known.source.checksum:
            known.source.checksum = known.digest.hexdigest()
        known.source.size = source.size
        known.source.inode, known.source.changed_ns = source.inode, source.changed_ns
        return known

    def _number(self, found: dict[Path, EventFile]) -> None:
        """Number the files as a reader who finds them all at once does.

        A new file may come before known ones: lines keep their file's number.
        """
        moved = [
            (known.source.file_id, source.file_id)
            for path, source in found.items()
            if (known := self.files[path]).source.file_id != source.file_id
        ]
        if not moved:
            return
        cases = " ".join(f"WHEN {before} THEN {after}" for before, after in moved)
        for table in ("read_lines", "read_drops"):
            self.con.execute(
                f"UPDATE {table} SET file_id = CASE file_id {cases} ELSE file_id END"  # noqa: S608
            )
        for path, source in found.items():
            self.files[path].source.file_id = source.file_id

    def _load(self, grown: Sequence[GrowingFile]) -> None:
        """Parse new lines, and keep those that are events."""
        self._drop_tables()
        create_tables(self.con)
        texts = [each for each in grown if each.source.packing != "parquet"]
        load_lines(
            self.con,
            (
                (
                    each.source,
                    each.pieces()
                    if each.source.packing == "plain"
                    else read_pieces(each.source, SILENT),
                )
                for each in texts
            ),
        )
        name_unreadable(self.con, [each.source for each in texts])
        for each in grown:
            each.source.unreadable.clear()
            if each.source.packing == "parquet":
                load_parquet(self.con, each.source)
        drop_faulty(self.con)
        parse_assignments(self.engine)  # drops the lines whose `experiments` is no object
        self.con.execute("INSERT INTO read_lines SELECT * FROM loaded")
        self.con.execute("INSERT INTO read_drops SELECT * FROM dropped_lines")

    def _has_duplicates(self, sources: Sequence[EventFile]) -> bool:
        """Tell whether a file or a line may be there twice; nearly always nothing is."""
        checksums = [source.checksum for source in sources if source.lines]
        if len(set(checksums)) < len(checksums):
            return True
        several = f"SELECT 1 FROM read_lines GROUP BY {LINE_MARK} HAVING count(*) > 1"  # noqa: S608
        return self.con.execute(f"{several} LIMIT 1").fetchone() is not None

    def _drop_tables(self) -> None:
        """Drop what was made of the lines; views first, because they read the tables."""
        for kind, names in (("VIEW", "duckdb_views()"), ("TABLE", "duckdb_tables()")):
            column = f"{kind.lower()}_name"
            rows = self.con.execute(
                f"SELECT {column} FROM {names} "  # noqa: S608
                f"WHERE NOT internal AND {column} NOT IN {_KEPT}"
            ).fetchall()
            for (name,) in rows:
                self.con.execute(f'DROP {kind} IF EXISTS "{name}"')
