-- How each session began, from the parts of moments; see sessions_begun.sql.
-- VIEW sessions_begun
SELECT
    "user",
    session,
    min(started_ms) AS started_ms,
    min_by(first_track, turn_from) AS track,
    min_by(first_time, turn_from) AS "time",
    min_by(first_experiments, turn_from) AS experiments,
    min_by(first_forced, turn_from) AS forced,
    max_by(last_recommended, turn_to) FILTER (WHERE last_recommended IS NOT NULL) AS last_recommended
FROM kept_chains
GROUP BY "user", session;
