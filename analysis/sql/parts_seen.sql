-- What was seen of each listener, in all parts of moments, for first_seen.sql.
-- VIEW seen
SELECT
    "user",
    experiments,
    config,
    first_ms,
    first_turn,
    files_before + file_id AS file_id,
    events,
    answers
FROM kept_seen;
