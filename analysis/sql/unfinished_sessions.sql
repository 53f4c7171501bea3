-- Sessions that ended without `last` (x) of all that are over (y), by arm and listener.
SELECT
    arm,
    "user",
    count(*) FILTER (WHERE ended_by <> 'last' AND over) AS x,
    count(*) FILTER (WHERE ended_by = 'last' OR over) AS y
FROM (
    SELECT
        *,
        ended_ms < $before_ms OR lead(started_ms) OVER (
            PARTITION BY "user" ORDER BY started_ms, first_turn, session
        ) IS NOT NULL AS over
    FROM arm_sessions
    WHERE experiment = $experiment
)
GROUP BY arm, "user";
