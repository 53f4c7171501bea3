-- Each session by its turns: where they begin and end, and what the first of them reports.
-- TABLE sessions_begun
WITH begun AS (
    SELECT
        e."user",
        e.session,
        min(e."schema") AS "schema",
        min(e.turn) AS turn_from,
        max(e.turn) AS turn_to,
        count(*) AS events,
        min(e.at_ms) AS started_ms,
        max(e.at_ms) AS ended_ms,
        min_by(e.file_id, e.turn) AS file_id,
        min_by(e.line, e.turn) AS line,
        min_by(coalesce(e."reset", FALSE), e.turn) AS afresh,
        min_by(e.forced, e.turn) AS forced,
        -- min_by passes over NULL in DuckDB, and not in Spark; a track is there where a time is.
        min_by(coalesce(e.track, ''), e.turn) AS track,
        min_by(coalesce(e."time", -1), e.turn) AS "time",
        min_by(coalesce(s.arms, 0), e.turn) AS arms,
        max_by(e.recommendation, e.turn) FILTER (WHERE e.recommendation IS NOT NULL)
            AS last_recommended
    FROM events AS e
    LEFT JOIN arm_sets AS s ON e.experiments = s.experiments
    GROUP BY e."user", e.session
)
SELECT b.*, s.experiments
FROM begun AS b
LEFT JOIN arm_sets AS s ON b.arms = s.arms;
