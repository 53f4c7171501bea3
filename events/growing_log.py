"""A log whose files grow: each line is read once, and the tables are made again on demand."""

import hashlib
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from core.catalog import Catalog
from core.errors import InputError
from core.lines import BOM, check_encoding
from core.progress import SILENT
from events.duckdb_engine import DuckDbEngine
from events.duckdb_loader import (
    create_tables,
    database,
    describe_loaded,
    load_lines,
    load_parquet,
    name_unreadable,
    parse_assignments,
)
from events.event_files import LONGEST_LINE, PIECE, EventFile, find_event_files, read_pieces
from events.line_validation import drop_duplicates, drop_faulty
from events.queries import read_query
from events.reader import GAP_S, SKIP_BELOW, EventLog, make_tables

_KEPT = "('read_lines', 'read_drops')"
"""Tables that stay from one reading to the next; all others are made of them."""


@dataclass(slots=True)
class _GrowingFile:
    """One event file, and how much of it was read.

    Attributes:
        source: The file; its `file_id`, `size` and `checksum` are those of the last reading.
        offset: Bytes read: all whole lines.
        digest: SHA-256 of these bytes.
    """

    source: EventFile
    offset: int = 0
    digest: Any = field(default_factory=hashlib.sha256)

    def pieces(self) -> Iterator[bytes]:
        """Yield the whole lines behind the offset, and move the offset behind them.

        Raises:
            InputError: The file cannot be read, is UTF-16, or has a line longer than 64 MB.
        """
        path, rest = self.source.path, b""
        try:
            with path.open("rb") as file:
                file.seek(self.offset)
                while self.offset + len(rest) < self.source.size:
                    left = self.source.size - self.offset - len(rest)
                    content = file.read(min(PIECE, left))
                    if not content:
                        break
                    content = rest + content
                    end = content.rfind(b"\n") + 1
                    whole, rest = content[:end], content[end:]
                    if len(rest) > LONGEST_LINE:
                        raise InputError.one(
                            f"{path}:{self.source.lines + 1}",
                            f"is longer than {LONGEST_LINE >> 20} MB; an event log has one event "
                            "a line",
                        )
                    if whole:
                        yield self._take(whole)
        except OSError as error:
            raise InputError.one(str(path), f"cannot be read: {error.strerror}") from error

    def _take(self, whole: bytes) -> bytes:
        if not self.offset:
            check_encoding(str(self.source.path), whole)
        is_first, self.offset = not self.offset, self.offset + len(whole)
        self.digest.update(whole)
        self.source.checksum = self.digest.hexdigest()
        return whole.removeprefix(BOM) if is_first else whole


class GrowingLog:
    """Event files and folders to which a server appends. Close it, or use `with`.

    `read` parses only what was appended since the last call: whole lines, because a line without
    its end is still being written. `tables` makes all tables of an `EventLog` of all lines so far.
    They equal those that `open_log` makes of the same lines.

    A file that is gone, or is shorter than it was, makes the next `read` begin from the start.

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
        memory_mb: int = 1000,
        threads: int | None = None,
        folder: Path | None = None,
    ) -> None:
        self.paths = list(paths)
        self.skip_below = skip_below
        kept = tempfile.TemporaryDirectory(prefix="segue-live-", dir=folder)
        self.con = database(Path(kept.name) / "log.duckdb", memory_mb, threads)
        self.engine = DuckDbEngine(self.con)
        self.log = EventLog(self.engine, kept, gap_s)
        self.files: dict[Path, _GrowingFile] = {}
        self._begin()

    def read(self) -> bool:
        """Read what was appended since the last call; return whether the lines are different now.

        Raises:
            InputError: A path is missing or unreadable, or a folder has no event file yet.
        """
        found = {source.path.resolve(): source for source in find_event_files(self.paths)}
        again = any(_began_again(known, found.get(path)) for path, known in self.files.items())
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
        self._drop_tables()
        sources = sorted((each.source for each in self.files.values()), key=lambda s: s.file_id)
        self.con.execute("CREATE TABLE dropped_lines AS SELECT * FROM read_drops")
        if self._has_duplicates(sources):
            self.con.execute("CREATE TABLE loaded AS SELECT * FROM read_lines")
            drop_duplicates(self.engine, sources)
        else:
            self.con.execute("CREATE VIEW loaded AS SELECT * FROM read_lines")
        describe_loaded(self.engine, sources)
        path = sources[0].path if sources else Path(self.paths[0])
        make_tables(self.log, path, self.skip_below, (None, None), catalog, SILENT)
        return self.log

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

    def _follow(self, path: Path, source: EventFile) -> _GrowingFile:
        known = self.files.setdefault(path, _GrowingFile(source))
        if not known.source.checksum:
            known.source.checksum = known.digest.hexdigest()
        known.source.size = source.size
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

    def _load(self, grown: Sequence[_GrowingFile]) -> None:
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
        return bool(self.con.execute(read_query("events", "any_duplicate")).fetchall())

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


def _began_again(known: _GrowingFile, found: EventFile | None) -> bool:
    """Tell whether a file is not the continuation of the one that was read."""
    if found is None or found.size < known.source.size:
        return True
    # A packed file is read whole, and an empty file has no packing yet.
    is_plain = found.packing == known.source.packing == "plain"
    return not is_plain and found.size != known.source.size
