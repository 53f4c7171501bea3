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
-- `arms` is the number of the set of arms in the turn before: texts would make the rows that are sorted
-- a third longer, and beyond DuckDB's memory they go to the disk.

-- TABLE arm_sets
SELECT experiments, row_number() OVER (ORDER BY experiments) AS arms
FROM (SELECT DISTINCT experiments FROM assignments) AS distinct_sets;

-- TABLE steps
WITH turns AS (
    SELECT
        e.file_id,
        e.line,
        e."user",
        e.session,
        e."schema",
        e.turn,
        e.at_ms,
        e.track,
        e."time",
        e.forced OR e.failed IS NOT NULL AS spared,
        e.message = 'next' AND NOT e.forced AND e.failed IS NULL AS answered,
        e.recommendation,
        e.recommendations,
        s.arms
    FROM events AS e
    LEFT JOIN arm_sets AS s ON e.experiments = s.experiments
),
neighbours AS (
    SELECT
        file_id,
        line,
        "user",
        session,
        "schema",
        turn,
        track,
        "time",
        spared,
        turn - lag(turn) OVER story AS step,
        at_ms - lag(at_ms) OVER story AS pause,
        lag(answered) OVER story AS answered_before,
        lag(recommendation) OVER story AS recommended,
        lag(recommendations) OVER story AS also_recommended,
        lag(arms) OVER story AS arms,
        lag(track) OVER story AS track_before,
        lag("time") OVER story AS time_before
    FROM turns
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
    arms,
    followed,
    broken,
    broken AND track = track_before AND "time" = time_before AS again,
    CASE WHEN broken THEN recommended END AS recommended,
    CASE WHEN broken THEN track END AS track,
    CASE WHEN step = 0 THEN session END AS doubled
FROM judged;
