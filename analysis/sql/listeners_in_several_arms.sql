-- Examples of listeners in several arms: their first line, and all their arms.
SELECT
    arg_min(e.file_id, (e.at_ms, e.turn)),
    arg_min(e.line, (e.at_ms, e.turn)),
    e."user",
    string_agg(DISTINCT a.arm, ', ' ORDER BY a.arm)
FROM events AS e
INNER JOIN assignments AS a ON e.experiments = a.experiments
WHERE a.experiment = $experiment AND NOT e.forced AND e."user" IN (
    SELECT "user"
    FROM first_seen
    WHERE experiment = $experiment AND arms > 1
    ORDER BY "user"
    LIMIT 10
)
GROUP BY e."user"
ORDER BY e."user";
