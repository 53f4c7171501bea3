-- One row for each session: its first listen if it has one, and the last track recommended in it.
-- VIEW sessions_begun
SELECT
    "user",
    session,
    min(at_ms) AS started_ms,
    -- min_by passes over NULL in DuckDB, and not in Spark; a track is there where a time is.
    min_by(coalesce(track, ''), turn) AS track,
    min_by(coalesce("time", -1), turn) AS "time",
    min_by(coalesce(experiments, ''), turn) AS experiments,
    min_by(forced, turn) AS forced,
    max_by(recommendation, turn) FILTER (WHERE recommendation IS NOT NULL)
        AS last_recommended
FROM events
GROUP BY "user", session;
