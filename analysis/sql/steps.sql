-- Each event beside the event before it in its session: how far apart they are, and whether the listen
-- is what was recommended just before.
--
-- All checks of how events follow on one another read this table, because its window sorts the events
-- of the whole log: for ten million events that takes as long as all other checks together.
--
-- A listen is `followed` if the turn before recommended a track. It is `broken` if it is of a track that was
-- not recommended, and `again` if it is also the same listen as in the turn before; only of a broken
-- one `recommended` and `track` are kept. Turns that a tester forced or a seat on the board made are
-- not `followed`, nor are turns in which a strategy failed: another track may well be heard. `doubled`
-- names the session of a turn that is there twice.
-- TABLE steps
WITH neighbours AS (
    SELECT
        file_id,
        line,
        "user",
        session,
        "schema",
        turn,
        track,
        "time",
        forced OR failed IS NOT NULL AS spared,
        turn - lag(turn) OVER story AS step,
        at_ms - lag(at_ms) OVER story AS pause,
        lag(message = 'next' AND NOT forced AND failed IS NULL) OVER story AS answered_before,
        lag(recommendation) OVER story AS recommended,
        lag(recommendations) OVER story AS also_recommended,
        lag(experiments) OVER story AS experiments,
        lag(track) OVER story AS track_before,
        lag("time") OVER story AS time_before
    FROM events
    WINDOW story AS (PARTITION BY "user", session ORDER BY turn, file_id, line)
),
followed AS (
    SELECT
        *,
        answered_before AND NOT spared AND track IS NOT NULL AND (step = 1 OR "schema" = 0)
            AS followed
    FROM neighbours
    WHERE step IS NOT NULL
),
judged AS (
    SELECT
        *,
        followed AND track IS DISTINCT FROM recommended AND CASE
            WHEN also_recommended IS NOT NULL
                THEN NOT array_contains(json_texts(also_recommended), track)
            ELSE TRUE
        END AS broken
    FROM followed
)
SELECT
    file_id,
    line,
    "user",
    "schema",
    turn,
    step,
    pause,
    experiments,
    followed,
    broken,
    broken AND track = track_before AND "time" = time_before AS again,
    CASE WHEN broken THEN recommended END AS recommended,
    CASE WHEN broken THEN track END AS track,
    CASE WHEN step = 0 THEN session END AS doubled
FROM judged;
