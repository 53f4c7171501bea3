-- Listens of a log's events, each with the propensity of its track, in the order of listeners, sessions
-- and turns.
--
-- A listen stands in the event after the decision that led to it, so its propensity is the one of
-- the event before. It is null where the client played a track that was not recommended.
--
-- Only a listener's first row names the listener, and only a session's first row `begins`: so no name
-- comes twice. `catalog_tracks(track, number)` are the tracks of the catalog; -1 is none of them.
--
-- $1: `experiment=arm` of the arms that count; $2: whether all arms count.

WITH listened AS (
    SELECT
        e."user", e.session, e.turn, e.file_id, e.line, e.track, e."time", e.at_ms, e.experiments,
        CASE WHEN lag(e.recommendation) OVER turns = e.track
             THEN lag(e.propensity) OVER turns END AS propensity
    FROM events AS e
    WINDOW turns AS (PARTITION BY e."user", e.session ORDER BY e.turn, e.file_id, e.line)
),
counted AS (
    SELECT *
    FROM listened
    WHERE "time" IS NOT NULL AND ($2 OR experiments IN (
        SELECT experiments FROM assignments
        WHERE array_contains($1, concat(experiment, '=', arm))
    ))
)
SELECT
    CASE WHEN row_number() OVER story = 1 THEN c."user" END AS listener,
    row_number() OVER (
        PARTITION BY c."user", c.session ORDER BY c.turn, c.file_id, c.line
    ) = 1 AS begins,
    c.turn,
    coalesce(t.number, -1) AS track,
    CAST(c."time" AS FLOAT) AS "time",
    c.at_ms,
    coalesce(CAST(c.propensity AS FLOAT), CAST('NaN' AS FLOAT)) AS propensity
FROM counted AS c
LEFT JOIN catalog_tracks AS t ON c.track = t.track
WINDOW story AS (PARTITION BY c."user" ORDER BY c.session, c.turn, c.file_id, c.line)
ORDER BY c."user", c.session, c.turn, c.file_id, c.line;
