-- The first listen of each session, if no recommendation chose it: a track that was recommended at the
-- end of the listener's session before is left out, and so is a session that a tester began.
-- TABLE first_listens
SELECT "user", started_ms, first.experiments AS experiments, first."time" AS "time"
FROM (
    SELECT *, lag(last_recommended) OVER (PARTITION BY "user" ORDER BY started_ms, session) AS before
    FROM (
        SELECT
            "user",
            session,
            min(at_ms) AS started_ms,
            arg_min({
                'track': track, 'time': "time", 'experiments': experiments, 'forced': forced
            }, turn) AS first,
            arg_max(recommendation, turn) AS last_recommended
        FROM events
        GROUP BY "user", session
    )
)
WHERE first."time" IS NOT NULL AND NOT first.forced AND first.track IS DISTINCT FROM before;
