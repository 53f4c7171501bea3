-- Examples of listeners in several arms: their first line, and all their arms.
SELECT
    min_by(e.file_id, (e.at_ms, e.turn, e.file_id, e.line)),
    min_by(e.line, (e.at_ms, e.turn, e.file_id, e.line)),
    e."user",
    array_join(array_sort(array_agg(DISTINCT a.arm)), ', ')
FROM events AS e
INNER JOIN assignments AS a ON e.experiments = a.experiments
WHERE a.experiment = $experiment AND NOT e.forced AND e."user" IN (
    SELECT f."user"
    FROM first_seen AS f
    WHERE f.experiment = $experiment AND f.arms > 1
    ORDER BY f."user"
    LIMIT 10
)
GROUP BY e."user"
ORDER BY e."user";
