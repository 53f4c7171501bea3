"""Compacting: JSON lines to Parquet, in folders by day and experiment; the lines stay as they are.

Each event file gives Parquet files of its own, named by its checksum, so compacting again writes
the same bytes under the same names. `compacted.json` beside them says which file gave which; when
an event file has grown, what it gave before is replaced.
"""

import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import orjson

from core.errors import InputError, SegueError
from core.progress import SILENT, Progress
from events.config_snapshots import FOLDER, snapshots_beside
from events.duckdb_loader import FIELDS, database, load
from events.event_files import MANIFEST, EventFile, find_event_files, source_checksum


@dataclass(slots=True)
class PartFile:
    """What one event file gave.

    Attributes:
        checksum: SHA-256 of the file's content, unpacked, in hex.
        size: Its bytes on the disk.
        lines: Its lines.
        events: Those that are in Parquet.
        dropped: Reason -> those that are not.
        files: Parquet files, below the destination.
    """

    checksum: str
    size: int
    lines: int
    events: int
    dropped: dict[str, int] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Compacted:
    """What came of it.

    Attributes:
        parts: Event file, by its path -> what it gave; of all runs into this destination.
        written: How many of them were compacted this time; the others had been before.
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
) -> Compacted:
    """Write `to/day=2026-11-22/experiment=fallback/CHECKSUM_0.parquet` and so on.

    An event of several experiments is in one place, `experiment=a__b`; of none, in `none`. The day
    is that of its timestamp, UTC. What an event file holds twice is kept twice: reading drops it.
    The kept configs that the events name are copied along.

    Args:
        paths: Event files, or folders of them.
        to: The destination; made if missing.
        memory_mb: What DuckDB may keep in memory.
        threads: How many DuckDB uses; all cores by default.
        progress: Who is told how far it is.

    Raises:
        InputError: A path is missing or unreadable; or the destination is damaged.
        SegueError: Parquet and dropped lines do not add up to the lines of a file.
    """
    logs = [Path(path) for path in paths]
    sources = [source for source in find_event_files(logs) if source.packing != "parquet"]
    if not sources:
        raise InputError.one("LOG", "names only Parquet files, which are compact already")
    to.mkdir(parents=True, exist_ok=True)
    manifest = _manifest(to)
    done = Compacted(manifest)
    for source in sources:
        name = str(source.path.resolve())
        before = manifest.get(name)
        if before is not None and _unchanged(before, source, to):
            continue
        part = _compact_one(source, to, memory_mb, threads, progress)
        manifest[name] = part
        done.written += 1
        _keep_manifest(to, manifest)
        if before is not None:
            others = {each for known in manifest.values() for each in known.files}
            for stale in set(before.files) - others:
                (to / stale).unlink(missing_ok=True)
    for digest, copy in snapshots_beside(logs).items():
        if not (beside := to / FOLDER / f"{digest}.json").exists():
            beside.parent.mkdir(exist_ok=True)
            shutil.copyfile(copy, beside)
    return done


def _unchanged(before: PartFile, source: EventFile, to: Path) -> bool:
    return (
        before.size == source.size
        and all((to / each).is_file() for each in before.files)
        and before.checksum == source_checksum(source)
    )


def _compact_one(
    source: EventFile, to: Path, memory_mb: int, threads: int | None, progress: Progress
) -> PartFile:
    # Beside the destination's folders, so that moving a file into them is one step.
    with tempfile.TemporaryDirectory(prefix=".compacting-", dir=to) as scratch:
        con = database(Path(scratch) / "log.duckdb", memory_mb, threads)
        try:
            one = EventFile(1, source.path, source.packing, source.size)
            load(con, [one], progress, copies=True)
            laid = Path(scratch) / "parquet"
            written = _write(con, laid, one.checksum)
            dropped = dict(
                con.execute(
                    "SELECT reason, count(*) FROM dropped_lines GROUP BY 1 ORDER BY 1"
                ).fetchall()
            )
        finally:
            con.close()
        unseen = sum(count for reason, count in dropped.items() if reason.endswith("archive"))
        if written + sum(dropped.values()) - unseen != one.lines:
            raise SegueError(
                f"{source.path}: of {one.lines} lines, {written} are in Parquet and "
                f"{sum(dropped.values())} were dropped; nothing was kept. This is a fault of ours"
            )
        files = []
        for made in sorted(laid.rglob("*.parquet")) if laid.exists() else []:
            name = made.relative_to(laid)
            (to / name).parent.mkdir(parents=True, exist_ok=True)
            made.replace(to / name)
            files.append(name.as_posix())
        return PartFile(one.checksum, source.size, one.lines, written, dropped, files)


def _write(con: duckdb.DuckDBPyConnection, laid: Path, checksum: str) -> int:
    """Write Parquet below `laid`; how many rows can be read back from it."""
    columns = ", ".join(f"l.{column}" for column, _ in FIELDS.values())
    con.execute("SET threads = 1")  # so that the same lines give the same bytes
    con.execute("SET preserve_insertion_order = true")
    con.execute(
        f"COPY (SELECT {columns}, "  # noqa: S608
        "strftime(make_timestamp(l.at_ms * 1000), '%Y-%m-%d') AS day, "
        "coalesce(a.experiment, 'none') AS experiment "
        "FROM loaded AS l LEFT JOIN ("
        "SELECT experiments, left(string_agg(experiment, '__' ORDER BY experiment), 200) "
        "AS experiment FROM assignments GROUP BY experiments"
        ") AS a ON l.experiments = a.experiments ORDER BY l.line) "
        f"TO '{str(laid).replace(chr(39), chr(39) * 2)}' "
        "(FORMAT parquet, COMPRESSION zstd, PARTITION_BY (day, experiment), "
        f"FILENAME_PATTERN '{checksum[:16]}_{{i}}')"
    )
    if not laid.exists() or not any(laid.rglob("*.parquet")):
        return 0
    row = con.execute(
        "SELECT count(*) FROM read_parquet(?, hive_partitioning = false)",
        [f"{laid}/**/*.parquet"],
    ).fetchone()
    return int(row[0]) if row else 0


def _manifest(to: Path) -> dict[str, PartFile]:
    path = to / MANIFEST
    if not path.exists():
        return {}
    try:
        found: dict[str, dict[str, Any]] = orjson.loads(path.read_bytes())
        return {name: PartFile(**entry) for name, entry in found.items()}
    except (orjson.JSONDecodeError, TypeError, AttributeError) as error:
        raise InputError.one(
            str(path),
            f"is not what `segue logs compact` wrote ({error}); name another folder with --to, or "
            "remove this one and compact again",
        ) from error


def _keep_manifest(to: Path, manifest: dict[str, PartFile]) -> None:
    content = orjson.dumps(
        {name: asdict(part) for name, part in sorted(manifest.items())},
        option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE,
    )
    part = to / f".{MANIFEST}.part"
    part.write_bytes(content)
    part.replace(to / MANIFEST)
