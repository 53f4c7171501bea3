-- Drop decisions and botify's lines that were logged twice; the first one stays.
--
-- 64 bits of hash find the suspects in little memory; only these are then compared exactly.

CREATE TEMP TABLE suspects AS
SELECT
    CASE
        WHEN "schema" IS NULL
            THEN hash(at_ms, "user", message, track, "time", latency_s, recommendation)
        ELSE hash(decision)
    END AS mark
FROM loaded
GROUP BY ALL
HAVING count(*) > 1;

INSERT INTO dropped_lines
WITH numbered AS (
    SELECT
        file_id,
        line,
        "schema",
        row_number() OVER (
            PARTITION BY
                decision,
                CASE
                    WHEN "schema" IS NULL
                        THEN row(at_ms, "user", message, track, "time", latency_s, recommendation)
                END
            ORDER BY file_id, line
        ) AS place
    FROM loaded
    WHERE CASE
        WHEN "schema" IS NULL
            THEN hash(at_ms, "user", message, track, "time", latency_s, recommendation)
        ELSE hash(decision)
    END IN (SELECT mark FROM suspects)
)
SELECT
    file_id,
    line,
    CASE WHEN "schema" IS NULL THEN 'repeated line' ELSE 'repeated decision' END
FROM numbered
WHERE place > 1;

DROP TABLE suspects;
