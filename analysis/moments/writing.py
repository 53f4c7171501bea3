"""Writes the part of a log that was read: sums by session, and what the log was made of."""

import hashlib
import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from analysis.checks.parity import PAUSES, SHORTEST_MS
from analysis.checks.result import ValidityReport
from analysis.moments.moments import TABLES, Part
from analysis.moments.part_tables import write_table
from core.errors import InputError
from events.config_snapshots import FOLDER as CONFIGS
from events.queries import read_query
from events.reader import EventLog
from events.sealed_plans import copy_sealed_plans


def describe_part(
    log: EventLog, validity_reports: Sequence[ValidityReport], log_checks: int
) -> Part:
    """Say what the part of a log is made of; nothing is written yet.

    Args:
        log: The log that was read.
        validity_reports: Of all its experiments.
        log_checks: How many checks of each report are those of the whole log; they come first.

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
        ends=log.query("SELECT file_id, lines, last FROM file_ends ORDER BY ALL"),
        validity=_validity(validity_reports, log_checks),
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
    ends = ends_of_pauses(log.gap_s)
    folder, place = to / f".{part.name}.{os.getpid()}", to / part.name
    try:
        (folder / CONFIGS).mkdir(parents=True)
        for name in TABLES:
            query = read_query("analysis", f"moments_{name}").rstrip().removesuffix(";")
            write_table(log.engine, query.format(**ends), folder / f"{name}.parquet")
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


def ends_of_pauses(gap_s: float) -> dict[str, int]:
    """Shortest and longest pause that decide whether a session is over; see `parity.over_before`.

    A shorter pause counts as the shortest, a longer one as the longest. So a part has few pauses.
    """
    return {"shortest": SHORTEST_MS // PAUSES, "longest": max(1, round(gap_s * 1000) // PAUSES)}


def _validity(
    reports: Sequence[ValidityReport], log_checks: int
) -> dict[str, list[dict[str, Any]]]:
    found = {"": [check.to_dict() for check in reports[0].checks[:log_checks]]}
    for report in reports:
        if report.experiment is not None:
            own = report.checks[log_checks:]
            found[report.experiment] = [check.to_dict() for check in own]
    return found


def _located(part: Part, folder: Path) -> Part:
    return replace(part, folder=folder)


def _catalog_digest(log: EventLog) -> str:
    rows = log.query("SELECT track, artist FROM catalog ORDER BY track, artist")
    return hashlib.sha256(repr(rows).encode()).hexdigest()[:12] if rows else ""
