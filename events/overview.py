"""The overview of a log: small tables that a person can look at."""

from typing import Any

from events.queries import read_query
from events.reader import EventLog

_IN_FILES = {
    "files": "overview_files",
    "sessions": "overview_sessions",
    "do events follow on one another": "overview_continuity",
    "experiments": "overview_experiments",
}
"""Title of a table -> name of its query in `events/sql/`."""

_SHORT = {
    "dropped lines": "SELECT reason, lines, examples FROM dropped ORDER BY lines DESC, reason",
    "listeners left out": """
        SELECT experiment, reason, count(*) AS listeners FROM excluded GROUP BY 1, 2 ORDER BY 1, 2
    """,
    "days": """
        SELECT day_of(started_ms) AS "day, UTC",
            count(*) AS sessions, count(DISTINCT "user") AS listeners,
            CAST(sum(events) AS BIGINT) AS events
        FROM sessions GROUP BY 1 ORDER BY 1
    """,
    "configs": """
        SELECT config, count(*) AS events, count(DISTINCT "user") AS listeners
        FROM events WHERE config IS NOT NULL GROUP BY 1 ORDER BY min(at_ms), config
    """,
}

TITLES = (
    "files",
    "dropped lines",
    "sessions",
    "do events follow on one another",
    "experiments",
    "listeners left out",
    "days",
    "configs",
)


def overview(log: EventLog) -> dict[str, list[dict[str, Any]]]:
    """Rows of each table, by the titles in `TITLES`."""
    found = {}
    for title in TITLES:
        query = _SHORT.get(title) or read_query("events", _IN_FILES[title])
        found[title] = log.engine.arrow(query).to_pylist()
    return found
