-- Drop decisions and botify's lines that were logged twice; the first one stays.
--
-- 64 bits of hash find the suspects in little memory; only these are then compared exactly. A
-- request with an idempotency key may be sent again, and the server may then write its line again:
-- `retried decision` is such a line, with the same content. When a process was killed between a turn's
-- line and its answer, the retry's line has an id of that process among the ids of another one.

-- TABLE suspects
SELECT {line_mark} AS mark
FROM loaded
GROUP BY mark
HAVING count(*) > 1;

-- TABLE repeated_lines
WITH numbered AS (
    SELECT
        file_id,
        line,
        "schema",
        regexp_extract(decision, '^(.+)-[0-9a-f]+$', 1) AS stem,
        "key" IS NOT NULL AND (
            at_ms, message, "user", track, "time", session, turn, recommendation, experiments
        ) IS NOT DISTINCT FROM first_value((
            at_ms, message, "user", track, "time", session, turn, recommendation, experiments
        )) OVER same AS retried,
        row_number() OVER same AS place
    FROM loaded
    WHERE {line_mark} IN (SELECT mark FROM suspects)
    WINDOW same AS (
        PARTITION BY
            decision,
            CASE WHEN "schema" IS NULL THEN ({botify_line}) END
        ORDER BY file_id, line
    )
),

stems AS (
    SELECT
        file_id,
        regexp_extract(decision, '^(.+)-[0-9a-f]+$', 1) AS stem,
        count(*) AS lines,
        sum(count(*)) OVER (PARTITION BY file_id) AS lines_of_file
    FROM loaded
    WHERE file_id IN (SELECT n.file_id FROM numbered AS n WHERE n.place > 1 AND n.retried)
    GROUP BY file_id, stem
)

SELECT
    n.file_id,
    n.line,
    CASE
        WHEN n."schema" IS NULL THEN 'repeated line'
        WHEN NOT n.retried THEN 'repeated decision'
        WHEN 2 * s.lines < s.lines_of_file THEN 'retried decision of another process'
        ELSE 'retried decision'
    END AS reason
FROM numbered AS n
LEFT JOIN stems AS s ON n.file_id = s.file_id AND n.stem = s.stem
WHERE n.place > 1;
