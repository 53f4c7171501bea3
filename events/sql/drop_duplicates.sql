-- Drop decisions and botify's lines that were logged twice; the first one stays.
--
-- 64 bits of hash find the suspects in little memory; only these are then compared exactly. A
-- request with an idempotency key may be sent again, and the server may then write its line again:
-- `retried decision` is such a line, with the same content.

-- TABLE suspects
SELECT
    CASE
        WHEN "schema" IS NULL
            THEN hash(at_ms, "user", message, track, "time", latency_s, recommendation)
        ELSE hash(decision)
    END AS mark
FROM loaded
GROUP BY mark
HAVING count(*) > 1;

-- TABLE repeated_lines
WITH numbered AS (
    SELECT
        file_id,
        line,
        "schema",
        "key" IS NOT NULL AND (
            at_ms, message, "user", track, "time", session, turn, recommendation, experiments
        ) IS NOT DISTINCT FROM first_value((
            at_ms, message, "user", track, "time", session, turn, recommendation, experiments
        )) OVER same AS retried,
        row_number() OVER same AS place
    FROM loaded
    WHERE CASE
        WHEN "schema" IS NULL
            THEN hash(at_ms, "user", message, track, "time", latency_s, recommendation)
        ELSE hash(decision)
    END IN (SELECT mark FROM suspects)
    WINDOW same AS (
        PARTITION BY
            decision,
            CASE
                WHEN "schema" IS NULL
                    THEN (at_ms, "user", message, track, "time", latency_s, recommendation)
            END
        ORDER BY file_id, line
    )
)
SELECT
    file_id,
    line,
    CASE
        WHEN "schema" IS NULL THEN 'repeated line'
        WHEN retried THEN 'retried decision'
        ELSE 'repeated decision'
    END AS reason
FROM numbered
WHERE place > 1;
