-- Each session by its turns: where they begin and end, and what the first of them reports.
-- TABLE sessions_begun
SELECT
    "user",
    session,
    min("schema") AS "schema",
    min(turn) AS turn_from,
    max(turn) AS turn_to,
    count(*) AS events,
    min(at_ms) AS started_ms,
    max(at_ms) AS ended_ms,
    min_by(file_id, turn) AS file_id,
    min_by(line, turn) AS line,
    min_by(coalesce("reset", FALSE), turn) AS afresh,
    min_by(forced, turn) AS forced,
    -- min_by passes over NULL in DuckDB, and not in Spark; a track is there where a time is.
    min_by(coalesce(track, ''), turn) AS track,
    min_by(coalesce("time", -1), turn) AS "time",
    min_by(coalesce(CAST(experiments AS STRING), ''), turn) AS experiments,
    max_by(recommendation, turn) FILTER (WHERE recommendation IS NOT NULL) AS last_recommended
FROM events
GROUP BY "user", session;
