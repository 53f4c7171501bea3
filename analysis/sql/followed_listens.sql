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
        lag({
            'recommendation': CASE WHEN message = 'next' THEN recommendation END,
            'recommendations': CASE WHEN message = 'next' THEN recommendations END,
            'experiments': experiments,
            'spared': forced OR failed IS NOT NULL,
            'track': track,
            'time': "time",
            'message': message
        }) OVER story AS before
    FROM events
    WINDOW story AS (PARTITION BY "user", session ORDER BY turn)
)
SELECT
    file_id,
    line,
    "user",
    "schema",
    before.experiments AS experiments,
    recommended,
    track,
    broken,
    broken AND track = before.track AND "time" = before."time" AS again
FROM (
    SELECT
        *,
        before.recommendation AS recommended,
        track IS DISTINCT FROM before.recommendation AND CASE
            WHEN before.recommendations IS NOT NULL
                THEN NOT list_contains(
                    from_json(before.recommendations, '["VARCHAR"]'), track
                )
            ELSE TRUE
        END AS broken
    FROM steps
    WHERE before.message = 'next' AND (step = 1 OR "schema" = 0) AND track IS NOT NULL
        AND NOT spared AND NOT before.spared
)
WHERE NOT broken OR ("user", track) NOT IN (
    SELECT "user", recommendation FROM unplaced WHERE degraded AND recommendation IS NOT NULL
);
