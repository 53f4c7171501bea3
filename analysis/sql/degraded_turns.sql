-- Turns that were decided without the shared state (x) of all turns (y), by arm and listener.
WITH all_turns AS (
    SELECT e."user", a.arm, FALSE AS degraded
    FROM events AS e
    INNER JOIN assignments AS a ON e.experiments = a.experiments
    WHERE a.experiment = $experiment AND NOT e.forced AND e."schema" > 0
    UNION ALL
    SELECT u."user", a.arm, TRUE
    FROM unplaced AS u
    INNER JOIN assignments AS a ON u.experiments = a.experiments
    WHERE a.experiment = $experiment AND u.degraded
)
SELECT arm, "user", count(*) FILTER (WHERE degraded) AS x, count(*) AS y
FROM all_turns
GROUP BY arm, "user";
