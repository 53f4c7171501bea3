"""Dropping lines that are no events, or are there twice, each with its reason; for DuckDB alone."""

from collections.abc import Sequence

import duckdb

from events.event_files import EventFile

LATEST_MS = 253_402_300_799_999
"""The end of the year 9999; a timestamp behind it is no count of milliseconds."""

_NUMBERS = "'UBIGINT', 'BIGINT', 'DOUBLE'"
_WHOLE = "'UBIGINT', 'BIGINT'"


def drop_faulty(con: duckdb.DuckDBPyConnection) -> None:
    """Say of each line that kept its text what is wrong with it; a few were right after all."""
    required = {
        "message": "'VARCHAR'",
        "timestamp": _NUMBERS,
        "user": f"'VARCHAR', {_WHOLE}",
    }
    cases = [
        "WHEN sound IS NULL AND trim(raw, ' \t\r\n') = '' THEN 'blank line'",
        "WHEN sound IS NULL AND starts_with(ltrim(raw), '{') THEN 'torn line'",
        "WHEN sound IS NULL THEN 'not JSON'",
        "WHEN json_type(sound) <> 'OBJECT' THEN 'not an object'",
    ]
    for field, kinds in required.items():
        kind = f"json_type(sound, '$.{field}')"
        cases.append(f"WHEN {kind} IS NULL OR {kind} = 'NULL' THEN 'missing field: {field}'")
        cases.append(f"WHEN {kind} NOT IN ({kinds}) THEN 'wrong type: {field}'")
    cases += [
        "WHEN message NOT IN ('next', 'last', 'heard') THEN 'unknown message'",
        f"WHEN at_ms IS NULL OR NOT at_ms BETWEEN 0 AND {LATEST_MS} THEN 'out of range: timestamp'",
        "WHEN \"user\" = '' THEN 'wrong type: user'",
        f"WHEN json_type(sound, '$.time') NOT IN ({_NUMBERS}, 'NULL') THEN 'wrong type: time'",
        f"WHEN json_type(sound, '$.track') NOT IN ('VARCHAR', {_NUMBERS}, 'NULL') "
        "THEN 'wrong type: track'",
        "WHEN track IS NULL AND \"time\" IS NOT NULL THEN 'missing field: track'",
        "WHEN track IS NOT NULL AND \"time\" IS NULL THEN 'missing field: time'",
        "WHEN NOT \"time\" BETWEEN 0 AND 1 THEN 'out of range: time'",
        "WHEN \"schema\" IS NOT NULL AND decision IS NULL THEN 'missing field: decision'",
        "WHEN \"schema\" IS NOT NULL AND session IS NULL THEN 'missing field: session'",
        "WHEN \"schema\" IS NOT NULL AND turn IS NULL THEN 'missing field: turn'",
        "WHEN \"schema\" IS NOT NULL AND message = 'next' AND recommendation IS NULL "
        "THEN 'missing field: recommendation'",
    ]
    con.execute(
        "INSERT INTO dropped_lines SELECT * FROM (SELECT file_id, line, CASE "  # noqa: S608
        + " ".join(cases)
        + " END AS reason FROM (SELECT *, CASE WHEN json_valid(raw) THEN raw END AS sound "
        "FROM loaded WHERE raw IS NOT NULL)) WHERE reason IS NOT NULL"
    )
    forget_dropped(con)


def forget_dropped(con: duckdb.DuckDBPyConnection) -> None:
    """Take the lines that were dropped out of `loaded`."""
    con.execute(
        "DELETE FROM loaded USING dropped_lines AS d "
        "WHERE loaded.file_id = d.file_id AND loaded.line = d.line"
    )


def drop_copies(con: duckdb.DuckDBPyConnection, sources: Sequence[EventFile]) -> None:
    """Drop what is there twice: whole files, decisions, the predecessor's lines."""
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
    # 64 bits find the suspects in little memory; the exact comparison is of them alone.
    mark = (
        'CASE WHEN "schema" IS NULL '
        'THEN hash(at_ms, "user", message, track, "time", latency_s, recommendation) '
        "ELSE hash(decision) END"
    )
    con.execute(
        f"CREATE TEMP TABLE suspects AS SELECT {mark} AS mark FROM loaded "  # noqa: S608
        "GROUP BY ALL HAVING count(*) > 1"
    )
    con.execute(f"""
        INSERT INTO dropped_lines
        SELECT file_id, line,
               CASE WHEN "schema" IS NULL THEN 'repeated line' ELSE 'repeated decision' END
        FROM (SELECT file_id, line, "schema", row_number() OVER (
                  PARTITION BY decision, CASE WHEN "schema" IS NULL
                  THEN row(at_ms, "user", message, track, "time", latency_s, recommendation) END
                  ORDER BY file_id, line) AS place
              FROM loaded WHERE {mark} IN (SELECT mark FROM suspects))
        WHERE place > 1
    """)  # noqa: S608
    con.execute("DROP TABLE suspects")
    forget_dropped(con)
