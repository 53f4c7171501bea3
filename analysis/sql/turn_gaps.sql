-- Examples of missing and doubled turns: the line, and the turn of the line before it.
SELECT file_id, line, "user", turn, before
FROM (
    SELECT
        file_id,
        line,
        "user",
        turn,
        lag(turn) OVER (PARTITION BY "user", session ORDER BY turn, file_id, line) AS before
    FROM events
    WHERE "schema" > 0
)
WHERE turn > before + 1 OR turn = before
UNION ALL
SELECT file_id, line, "user", turn_from, before_to FROM session_chains WHERE gap
ORDER BY 1, 2, 3, 4, 5
LIMIT 10;
