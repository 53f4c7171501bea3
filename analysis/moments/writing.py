"""Writes the part of a log that was read: sums by session, and what the log was made of."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

from analysis.checks.result import ValidityReport
from analysis.moments.moments import TABLES, Part
from core.errors import InputError
from events.config_snapshots import FOLDER as CONFIGS
from events.duckdb_engine import DuckDbEngine
from events.queries import read_query
from events.query_engine import QueryEngine
from events.reader import EventLog
from events.sealed_plans import copy_sealed_plans


def describe_part(log: EventLog, validity_reports: Mapping[str, ValidityReport]) -> Part:
    """Say what the part of a log is made of; nothing is written yet.

    Raises:
        InputError: The log has events of botify, whose sessions have no name that would last.
    """
    if log.one('SELECT count(*) FROM (SELECT 1 FROM events WHERE "schema" = 0 LIMIT 1)'):
        raise InputError.one(
            "--moments",
            "must be of events of Segue, found events of botify. Their sessions have no names, so "
            "days of them cannot be added. Leave --moments out, and read the whole log",
        )
    begin_ms, end_ms = log.query("SELECT begin_ms, end_ms FROM log_span")[0]
    files = log.query("SELECT path, format, lines, checksum FROM files ORDER BY file_id")
    digest = hashlib.sha256("".join(sorted(str(each[3]) for each in files)).encode()).hexdigest()
    day = datetime.fromtimestamp(begin_ms / 1000, UTC).strftime("%Y-%m-%d")
    unnumbered = log.one('SELECT count(*) FROM (SELECT 1 FROM events WHERE "schema" < 2 LIMIT 1)')
    return Part(
        name=f"{day}-{digest[:12]}",
        gap_s=log.gap_s,
        begin_ms=begin_ms,
        end_ms=end_ms,
        files=files,
        dropped=log.query("SELECT reason, lines, examples FROM dropped ORDER BY reason"),
        assignments=log.query("SELECT experiments, experiment, arm FROM assignments ORDER BY ALL"),
        ids={
            stem: (first, last, ids)
            for stem, first, last, ids in log.query(
                "SELECT stem, first_id, last_id, ids FROM written_ids ORDER BY stem"
            )
        },
        numbered=not unnumbered,
        catalog=_catalog_digest(log),
        validity={
            name: [check.to_dict() for check in report.checks]
            for name, report in validity_reports.items()
        },
    )


def write_part(
    log: EventLog, part: Part, snapshots: Iterable[Path], logs: Iterable[Path], to: Path
) -> Part:
    """Write the tables of a part into a folder, and put the folder into its place last.

    Args:
        log: The log that was read.
        part: From `describe_part`.
        snapshots: Copies of the configs that decided, which the part keeps.
        logs: Event files or folders beside which plans were sealed.
        to: The folder of the moments.

    Returns:
        The part, with its folder.

    Raises:
        InputError: The folder cannot be written.
    """
    folder, place = to / f".{part.name}.{os.getpid()}", to / part.name
    try:
        (folder / CONFIGS).mkdir(parents=True)
        for name in TABLES:
            query = read_query("analysis", f"moments_{name}").rstrip().removesuffix(";")
            _write_parquet(log.engine, query, folder / f"{name}.parquet")
        for snapshot in snapshots:
            (folder / CONFIGS / snapshot.name).write_bytes(snapshot.read_bytes())
        copy_sealed_plans(logs, folder)
        _located(part, folder).write_manifest()
        folder.rename(place)
    except OSError as error:
        raise InputError.one(str(to), f"cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return _located(part, place)


def _located(part: Part, folder: Path) -> Part:
    from dataclasses import replace

    return replace(part, folder=folder)


def _write_parquet(engine: QueryEngine, query: str, path: Path) -> None:
    """Write the rows of a query; DuckDB writes them itself, without all of them in memory."""
    if isinstance(engine, DuckDbEngine):
        text = str(path).replace("'", "''")
        engine.con.execute(f"COPY ({query}) TO '{text}' (FORMAT parquet, COMPRESSION zstd)")
        return
    import pyarrow.parquet as parquet

    parquet.write_table(engine.arrow(query), path, compression="zstd")


def _catalog_digest(log: EventLog) -> str:
    rows = log.query("SELECT track, artist FROM catalog ORDER BY track, artist")
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:12] if rows else ""
