-- Each listen that follows a recommendation: the next event of the session reports it. `broken` if it
-- is of a track that was not recommended; `again` if it is the same listen as in the turn before.
--
-- Left out, because another track may well be heard: turns that a tester forced or a seat on the board
-- made, turns in which a strategy failed, and tracks of turns that were decided without the state.
-- TABLE followed_listens
WITH steps AS (
    SELECT
        file_id,
        line,
        "user",
        "schema",
        track,
        "time",
        forced OR failed IS NOT NULL AS spared,
        turn - lag(turn) OVER story AS step,
        lag(message) OVER story AS message_before,
        lag(CASE WHEN message = 'next' THEN recommendation END) OVER story AS recommended,
        lag(CASE WHEN message = 'next' THEN recommendations END) OVER story AS also_recommended,
        lag(experiments) OVER story AS experiments,
        lag(forced OR failed IS NOT NULL) OVER story AS spared_before,
        lag(track) OVER story AS track_before,
        lag("time") OVER story AS time_before
    FROM events
    WINDOW story AS (PARTITION BY "user", session ORDER BY turn, file_id, line)
),
followed AS (
    SELECT
        *,
        track IS DISTINCT FROM recommended AND CASE
            WHEN also_recommended IS NOT NULL
                THEN NOT array_contains(json_texts(also_recommended), track)
            ELSE TRUE
        END AS broken
    FROM steps
    WHERE message_before = 'next' AND (step = 1 OR "schema" = 0) AND track IS NOT NULL
        AND NOT spared AND NOT spared_before
)
SELECT
    f.file_id,
    f.line,
    f."user",
    f."schema",
    f.experiments,
    f.recommended,
    f.track,
    f.broken,
    f.broken AND f.track = f.track_before AND f."time" = f.time_before AS again
FROM followed AS f
LEFT JOIN (
    SELECT DISTINCT "user", recommendation
    FROM unplaced
    WHERE degraded AND recommendation IS NOT NULL
) AS d ON f.broken AND f."user" = d."user" AND f.track = d.recommendation
WHERE d."user" IS NULL;
