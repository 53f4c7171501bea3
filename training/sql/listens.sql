-- Listens of a log's events, each with the propensity of its track.
--
-- A listen stands in the event after the decision that led to it, so its propensity is the one of
-- the event before. It is null where the client played a track that was not recommended.
--
-- $1: `experiment=arm` of the arms that count; $2: whether all arms count.

WITH listened AS (
    SELECT
        e."user", e.session, e.turn, e.track, e."time", e.at_ms, e.experiments,
        CASE WHEN lag(e.recommendation) OVER turns = e.track
             THEN lag(e.propensity) OVER turns END AS propensity
    FROM events AS e
    WINDOW turns AS (PARTITION BY e."user", e.session ORDER BY e.turn)
)
SELECT
    l."user", track, CAST("time" AS DOUBLE) AS "time", at_ms, turn,
    dense_rank() OVER (ORDER BY "user", session) AS session,
    coalesce(CAST(propensity AS DOUBLE), 'nan'::DOUBLE) AS propensity
FROM listened AS l
WHERE "time" IS NOT NULL AND ($2 OR experiments IN (
    SELECT experiments FROM assignments WHERE list_contains($1, concat(experiment, '=', arm))
))
ORDER BY l."user", session, turn;
