-- The turns of each session (session_turns.sql), so that a turn missing between two parts is found, and
-- how the session began (sessions_begun.sql).
SELECT
    "user",
    session,
    CAST(min(turn) AS BIGINT) AS turn_from,
    CAST(max(turn) AS BIGINT) AS turn_to,
    count(*) AS events,
    count(DISTINCT turn) AS turns,
    min(at_ms) AS started_ms,
    max(at_ms) AS ended_ms,
    min_by(file_id, turn) AS file_id,
    min_by(coalesce("reset", FALSE), turn) AS afresh,
    min_by(at_ms, turn) AS first_at_ms,
    max_by(at_ms, turn) AS last_at_ms,
    min_by(coalesce(track, ''), turn) AS first_track,
    min_by(coalesce("time", -1), turn) AS first_time,
    min_by(coalesce(CAST(experiments AS STRING), ''), turn) AS first_experiments,
    min_by(forced, turn) AS first_forced,
    max_by(recommendation, turn) FILTER (WHERE recommendation IS NOT NULL) AS last_recommended
FROM events
GROUP BY "user", session;
