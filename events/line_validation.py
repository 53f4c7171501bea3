"""Line validation: drops lines that are no events, or are there twice, each with its reason."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from events.event_files import EventFile
from events.file_ends import UNACKNOWLEDGED, ends_unacknowledged
from events.queries import NamedQuery, read_named, read_query

if TYPE_CHECKING:
    import duckdb

    from events.duckdb_engine import DuckDbEngine

LATEST_MS = 253_402_300_799_999
"""The end of the year 9999; a larger timestamp is no count of milliseconds."""

BOTIFY_LINE = 'at_ms, "user", message, track, "time", latency_s, recommendation'
"""SQL: what makes two of botify's lines the same one; they have no id."""
LINE_MARK = f'CASE WHEN "schema" IS NULL THEN hash({BOTIFY_LINE}) ELSE hash(decision) END'
"""SQL: 64 bits that all lines of one decision share, or all copies of one of botify's lines."""


def drop_faulty(con: "duckdb.DuckDBPyConnection") -> None:
    """Drop each line that kept its text and is no event, with the reason."""
    con.execute(read_query("events", "drop_faulty").format(latest_ms=LATEST_MS))
    delete_dropped(con)


def name_unacknowledged_tails(
    con: "duckdb.DuckDBPyConnection", sources: Sequence[EventFile]
) -> None:
    """Name the cut last line of a killed server as what it is: no answer left for it."""
    for source in sources:
        if not source.is_cut:
            continue
        row = con.execute(
            "SELECT max(at_ms) FROM loaded WHERE file_id = ?", [source.file_id]
        ).fetchone()
        if ends_unacknowledged(source.path, row[0] if row else None):
            con.execute(
                "UPDATE dropped_lines SET reason = ? WHERE file_id = ? AND line = ? "
                "AND reason IN ('torn line', 'not UTF-8')",
                [UNACKNOWLEDGED, source.file_id, source.lines],
            )


def delete_dropped(con: "duckdb.DuckDBPyConnection") -> None:
    """Delete the dropped lines from `loaded`."""
    con.execute(
        "DELETE FROM loaded USING dropped_lines AS d "
        "WHERE loaded.file_id = d.file_id AND loaded.line = d.line"
    )


def drop_duplicates(engine: "DuckDbEngine", sources: Sequence[EventFile]) -> None:
    """Drop duplicates: whole files, decisions, lines of botify."""
    con = engine.con
    first: dict[str, int] = {}
    for source in sources:
        original = first.setdefault(source.checksum, source.file_id)
        if original != source.file_id and source.lines:
            con.execute(
                "INSERT INTO dropped_lines SELECT file_id, line, 'copy of another file' "
                "FROM loaded WHERE file_id = ?",
                [source.file_id],
            )
            con.execute("DELETE FROM loaded WHERE file_id = ?", [source.file_id])
    suspects, repeated = duplicate_queries()
    engine.create(suspects)
    con.execute(f"INSERT INTO dropped_lines {repeated.text}")
    engine.drop(suspects.name)
    delete_dropped(con)


def duplicate_queries() -> list[NamedQuery]:
    """Give the queries of both engines: marks that several lines have, and the repeated lines."""
    return read_named("events", "drop_duplicates", line_mark=LINE_MARK, botify_line=BOTIFY_LINE)
