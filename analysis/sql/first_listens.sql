-- The first listen of each session, if no recommendation chose it: a track that was recommended at the
-- end of the listener's session before is left out, and so is a session that a tester began.
-- TABLE first_listens
SELECT "user", started_ms, experiments, "time"
FROM (
    SELECT *, lag(last_recommended) OVER (PARTITION BY "user" ORDER BY started_ms, session) AS before
    FROM sessions_begun
) AS one_after_the_other
WHERE "time" >= 0 AND NOT forced AND track IS DISTINCT FROM before;
