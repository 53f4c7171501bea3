-- Each line with a mark that a second line of the same decision has too; see drop_duplicates.sql.
-- A request with a key may be written again, so its lines have none.
SELECT
    file_id,
    line,
    CASE
        WHEN "schema" IS NULL
            THEN hash(at_ms, "user", message, track, "time", latency_s, recommendation)
        ELSE hash(decision)
    END AS mark
FROM loaded
WHERE "key" IS NULL;
