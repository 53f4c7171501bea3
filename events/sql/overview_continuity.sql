-- Whether events follow on one another within a session.
--
-- Where a track is not the one that was recommended just before, a line between the two is
-- missing, or the client played a track of its own choice.

WITH steps AS (
    SELECT
        "schema",
        track,
        lag(recommendation) OVER turns AS recommended,
        turn - lag(turn) OVER turns AS step
    FROM events
    WINDOW turns AS (PARTITION BY "user", session ORDER BY turn, file_id, line)
)
SELECT
    CASE WHEN "schema" = 0 THEN 'botify' ELSE 'ours' END AS format,
    count(*) AS "events after the first of a session",
    CAST(sum(CASE WHEN track <> recommended THEN 1 ELSE 0 END) AS BIGINT) AS "of another track",
    CAST(sum(CASE WHEN step > 1 THEN 1 ELSE 0 END) AS BIGINT) AS "after a missing turn"
FROM steps
WHERE step IS NOT NULL
GROUP BY 1
ORDER BY 1;
