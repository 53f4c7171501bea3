-- Events of botify in the millisecond of a listener's other event, if their order is unclear.
WITH tied AS (
    SELECT "user", at_ms, count(*) AS events
    FROM events
    WHERE "schema" = 0
    GROUP BY "user", at_ms
    HAVING count(*) > 1
)
SELECT b.file_id, b.line, t."user", t.at_ms, t.events
FROM followed_listens AS b
INNER JOIN events AS e ON b.file_id = e.file_id AND b.line = e.line
INNER JOIN tied AS t ON e."user" = t."user" AND e.at_ms = t.at_ms
WHERE b.broken AND b."schema" = 0
ORDER BY b.file_id, b.line;
