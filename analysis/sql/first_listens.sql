-- The first listen of each session, if no recommendation chose it: a track that was recommended at the
-- end of the listener's session before is left out, and so is a session that a tester began.
-- TABLE first_listens
SELECT "user", started_ms, experiments, "time"
FROM (
    SELECT *, lag(last_recommended) OVER (PARTITION BY "user" ORDER BY started_ms, session) AS before
    FROM (
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
        GROUP BY "user", session
    ) AS sessions_begun
) AS one_after_the_other
WHERE "time" >= 0 AND NOT forced AND track IS DISTINCT FROM before;
