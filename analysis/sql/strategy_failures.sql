-- Turns in which a strategy failed (x) of all turns that asked for a track (y), by arm and
-- listener. A turn that got no answer is in `unplaced`.
WITH asked AS (
    SELECT e."user", a.arm, e.failed IS NOT NULL AS failing
    FROM events AS e
    INNER JOIN assignments AS a ON e.experiments = a.experiments
    WHERE a.experiment = $experiment AND e.message = 'next' AND NOT e.forced AND e."schema" > 0
    UNION ALL
    SELECT u."user", a.arm, TRUE
    FROM unplaced AS u
    INNER JOIN assignments AS a ON u.experiments = a.experiments
    WHERE a.experiment = $experiment AND u.message = 'error'
)
SELECT arm, "user", count(*) FILTER (WHERE failing) AS x, count(*) AS y
FROM asked
GROUP BY arm, "user";
