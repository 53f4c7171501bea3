-- Examples of missing and doubled turns: the line, and the turn of the line before it.
SELECT file_id, line, "user", turn, turn - step AS before
FROM steps
WHERE "schema" > 0 AND (step > 1 OR step = 0)
UNION ALL
SELECT file_id, line, "user", turn_from, before_to FROM session_chains WHERE gap
ORDER BY 1, 2, 3, 4, 5
LIMIT 10;
