"""What is in a log, as small tables that a person can look at."""

from typing import Any

from events.reader import EventLog

_TABLES = {
    "files": """
        SELECT f.path, f.format, f.lines, f.lines - coalesce(d.lines, 0) AS events,
            left(f.checksum, 12) AS checksum
        FROM files AS f
        LEFT JOIN (SELECT file_id, count(*) AS lines FROM dropped_lines GROUP BY 1) AS d
            ON f.file_id = d.file_id
        ORDER BY f.file_id
    """,
    "dropped lines": "SELECT reason, lines, examples FROM dropped ORDER BY lines DESC, reason",
    "sessions": """
        SELECT ended_by AS "ended by", count(*) AS sessions, sum(events)::BIGINT AS events,
            sum(listens)::BIGINT AS listens, avg(time_all) AS "mean time",
            avg(time_chosen) AS "mean time without the first track"
        FROM sessions GROUP BY 1 ORDER BY 2 DESC
    """,
    # A track that is not what was recommended just before: a line between the two is missing, or
    # the client played something of its own.
    "do events follow on one another": """
        WITH story AS (
            SELECT "schema", track, lag(recommendation) OVER turns AS recommended,
                turn - lag(turn) OVER turns AS step
            FROM events WINDOW turns AS (PARTITION BY "user", session ORDER BY turn)
        )
        SELECT CASE WHEN "schema" = 0 THEN 'botify' ELSE 'ours' END AS format,
            count(*) AS "events after the first of a session",
            sum(CASE WHEN track <> recommended THEN 1 ELSE 0 END)::BIGINT AS "of another track",
            sum(CASE WHEN step > 1 THEN 1 ELSE 0 END)::BIGINT AS "after a missing turn"
        FROM story WHERE step IS NOT NULL GROUP BY 1 ORDER BY 1
    """,
    "experiments": """
        SELECT experiment, arm, count(*) AS listeners, sum(sessions)::BIGINT AS sessions,
            sum(open_sessions)::BIGINT AS "open sessions",
            avg(mean_time_all) AS "mean session time",
            avg(mean_time_chosen) AS "without the first track"
        FROM listeners GROUP BY 1, 2 ORDER BY 1, 2
    """,
    "listeners left out": """
        SELECT experiment, reason, count(*) AS listeners FROM excluded GROUP BY 1, 2 ORDER BY 1, 2
    """,
    "days": """
        SELECT strftime(make_timestamp(started_ms * 1000), '%Y-%m-%d') AS "day, UTC",
            count(*) AS sessions, count(DISTINCT "user") AS listeners, sum(events)::BIGINT AS events
        FROM sessions GROUP BY 1 ORDER BY 1
    """,
    "configs": """
        SELECT config, count(*) AS events, count(DISTINCT "user") AS listeners
        FROM events WHERE config IS NOT NULL GROUP BY 1 ORDER BY min(at_ms)
    """,
}


def overview(log: EventLog) -> dict[str, list[dict[str, Any]]]:
    """Title -> rows: files, dropped lines, sessions, experiments, listeners left out, days."""
    found = {}
    for title, query in _TABLES.items():
        cursor = log.con.execute(query)
        names = [column[0] for column in cursor.description or ()]
        found[title] = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    return found
