-- Each listen that follows a recommendation in botify's log; `broken` if it is of another track.
CREATE TEMP VIEW botify_listens AS
SELECT file_id, line, "user", track, recommended, recommended IS DISTINCT FROM track AS broken
FROM (
    SELECT
        file_id,
        line,
        "user",
        track,
        lag(recommendation) OVER story AS recommended,
        lag(message) OVER story AS before
    FROM events
    WHERE "schema" = 0
    WINDOW story AS (PARTITION BY "user", session ORDER BY turn)
)
WHERE before = 'next';
