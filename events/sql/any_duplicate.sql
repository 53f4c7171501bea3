-- A row if any decision, or line of botify, may have been logged twice; see drop_duplicates.sql.
SELECT 1
FROM read_lines
GROUP BY
    CASE
        WHEN "schema" IS NULL
            THEN hash(at_ms, "user", message, track, "time", latency_s, recommendation)
        ELSE hash(decision)
    END
HAVING count(*) > 1
LIMIT 1;
