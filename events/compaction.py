"""Compaction: JSON lines to Parquet, in folders by day and experiment; the JSON lines stay.

Each event file becomes Parquet files of its own, named by its checksum, so a second compaction
writes the same bytes under the same names. `compacted.json` beside them lists the Parquet of each
event file; when an event file has grown, its new Parquet replaces the old.
"""

import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import orjson

from core.errors import InputError, SegueError
from core.progress import SILENT, Progress
from events.config_snapshots import FOLDER, snapshots_beside
from events.duckdb_engine import DuckDbEngine
from events.duckdb_loader import FIELDS, database, load
from events.event_files import MANIFEST, EventFile, find_event_files, source_checksum
from events.file_ends import said_ends
from events.queries import read_query
from events.sealed_plans import copy_sealed_plans
from events.url_path import UrlPath, log_path, place_file


@dataclass(slots=True)
class PartFile:
    """The Parquet of one event file.

    Attributes:
        checksum: SHA-256 of the file's content, unpacked, in hex.
        size: Bytes of the event file on the disk.
        lines: Lines of the event file.
        events: Lines that are in Parquet.
        dropped: Reason -> number of lines that are not.
        files: The Parquet files, as paths below the destination.
        end: Lines and last id that the writer recorded when it closed the file; None without.
    """

    checksum: str
    size: int
    lines: int
    events: int
    dropped: dict[str, int] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)
    end: tuple[int, str] | None = None


MakeParts = Callable[[Sequence[EventFile], Path], Iterable[tuple[EventFile, PartFile]]]


@dataclass(slots=True)
class CompactionResult:
    """The state of a destination after a compaction.

    Attributes:
        parts: Path of an event file -> its Parquet, of all compactions into this destination.
        written: How many event files this compaction wrote; the rest had not changed.
    """

    parts: dict[str, PartFile]
    written: int = 0


def compact(
    paths: Iterable[str | Path],
    to: Path,
    *,
    memory_mb: int = 1000,
    threads: int | None = None,
    progress: Progress = SILENT,
    make_parts: MakeParts | None = None,
) -> CompactionResult:
    """Write `to/day=2026-11-22/experiment=fallback/CHECKSUM_0.parquet` and so on.

    An event of several experiments lies in `experiment=a__b`, an event of none in
    `experiment=none`. The day is the day of its timestamp, UTC. Duplicates within an event file
    stay; the reader drops them. The config snapshots that the events name are copied as well.

    Args:
        paths: Event files, or folders of them.
        to: The destination; made if missing.
        memory_mb: Memory that DuckDB may use.
        threads: Threads of DuckDB; all cores by default.
        progress: Shows the work.
        make_parts: Makes the Parquet of files, for instance `spark_compaction.SparkCompaction`;
            DuckDB makes one after the other by default.

    Raises:
        InputError: A path is missing or unreadable; or the destination is damaged.
        SegueError: Parquet and dropped lines do not add up to the lines of a file.
    """
    logs = [log_path(path) for path in paths]
    sources = [source for source in find_event_files(logs) if source.packing != "parquet"]
    if not sources:
        raise InputError.one(
            "LOG",
            "must name JSON lines, got only Parquet files, which are compact already. Name the "
            "folder of the server's log",
        )
    to.mkdir(parents=True, exist_ok=True)
    manifest = _read_manifest(to)
    done = CompactionResult(manifest)
    there = {path.relative_to(to).as_posix() for path in to.rglob("*.parquet")}
    changed = [source for source in sources if not _is_unchanged(manifest, source, there)]
    make = make_parts or partial(
        _make_parts, memory_mb=memory_mb, threads=threads, progress=progress
    )
    for source, part in make(changed, to):
        name = str(source.path.resolve())
        before = manifest.get(name)
        manifest[name] = part
        done.written += 1
        _write_manifest(to, manifest)
        if before is not None:
            in_use = {each for known in manifest.values() for each in known.files}
            for stale in set(before.files) - in_use:
                (to / stale).unlink(missing_ok=True)
    copy_sealed_plans(logs, to)
    for digest, snapshot in snapshots_beside(logs).items():
        if not (target := to / FOLDER / f"{digest}.json").exists():
            target.parent.mkdir(exist_ok=True)
            target.write_bytes(snapshot.read_bytes())
    return done


def _make_parts(
    sources: Sequence[EventFile], to: Path, memory_mb: int, threads: int | None, progress: Progress
) -> Iterator[tuple[EventFile, PartFile]]:
    for source in sources:
        yield source, compact_file(source, to, memory_mb, threads, progress)


def _is_unchanged(manifest: Mapping[str, PartFile], source: EventFile, there: Set[str]) -> bool:
    before = manifest.get(str(source.path.resolve()))
    return (
        before is not None
        and before.size == source.size
        and there >= set(before.files)
        and before.checksum == source_checksum(source)
    )


def compact_file(
    source: EventFile, to: Path, memory_mb: int, threads: int | None, progress: Progress
) -> PartFile:
    """Write the Parquet of one event file into its place.

    Raises:
        InputError: The file is unreadable.
        SegueError: Parquet and dropped lines do not add up to its lines.
    """
    # The scratch folder lies in the destination, so that a move into place is one atomic step.
    inside = None if isinstance(to, UrlPath) else to
    with tempfile.TemporaryDirectory(prefix=".compacting-", dir=inside) as scratch:
        con = database(Path(scratch) / "log.duckdb", memory_mb, threads)
        try:
            one = EventFile(1, source.path, source.packing, source.size)
            load(DuckDbEngine(con), [one], progress, keep_duplicates=True)
            folder = Path(scratch) / "parquet"
            written = _write_parquet(con, folder, one.checksum)
            dropped = dict(
                con.execute(
                    "SELECT reason, count(*) FROM dropped_lines GROUP BY 1 ORDER BY 1"
                ).fetchall()
            )
        finally:
            con.close()
        # A broken or torn archive is a reason without a line of its own: nobody saw that line.
        unseen = sum(count for reason, count in dropped.items() if reason.endswith("archive"))
        if written + sum(dropped.values()) - unseen != one.lines:
            raise SegueError(
                f"{source.path}: of {one.lines} lines, {written} are in Parquet and "
                f"{sum(dropped.values())} were dropped; nothing was kept. "
                "This is a bug in Segue; please report it"
            )
        files = []
        for made in sorted(folder.rglob("*.parquet")) if folder.exists() else []:
            name = made.relative_to(folder)
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            place_file(made, to / name)
            files.append(name.as_posix())
        end = next(iter(said_ends(source.path)), None)
        return PartFile(one.checksum, source.size, one.lines, written, dropped, files, end)


def _write_parquet(con: duckdb.DuckDBPyConnection, folder: Path, checksum: str) -> int:
    """Write Parquet below `folder`, and count the rows that can be read back from it."""
    con.execute("SET threads = 1")  # so that the same lines give the same bytes
    con.execute("SET preserve_insertion_order = true")
    values = {
        "columns": ", ".join(f"l.{column}" for column, _ in FIELDS.values()),
        "folder": str(folder).replace("'", "''"),
        "pattern": f"{checksum[:16]}_{{i}}",
    }
    con.execute(read_query("events", "write_parquet").format(**values))
    if not folder.exists() or not any(folder.rglob("*.parquet")):
        return 0
    row = con.execute(
        "SELECT count(*) FROM read_parquet(?, hive_partitioning = false)",
        [f"{folder}/**/*.parquet"],
    ).fetchone()
    return int(row[0]) if row else 0


def _read_manifest(to: Path) -> dict[str, PartFile]:
    path = to / MANIFEST
    if not path.exists():
        return {}
    try:
        found: dict[str, dict[str, Any]] = orjson.loads(path.read_bytes())
        return {name: PartFile(**entry) for name, entry in found.items()}
    except (orjson.JSONDecodeError, TypeError, AttributeError) as error:
        raise InputError.one(
            str(path),
            f"must be as `segue logs compact` wrote it, but is damaged ({error}). Name a different "
            "folder with --to, or remove this one and compact again",
        ) from error


def _write_manifest(to: Path, manifest: dict[str, PartFile]) -> None:
    content = orjson.dumps(
        {name: asdict(part) for name, part in sorted(manifest.items())},
        option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
    )
    if isinstance(to, UrlPath):
        (to / MANIFEST).write_bytes(content)
        return
    part = to / f".{MANIFEST}.part"
    part.write_bytes(content)
    part.replace(to / MANIFEST)
