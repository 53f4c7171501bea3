-- The timed answers of an arm's listeners with the smallest MD5 of their id, at most $most answers.
WITH counts AS (
    SELECT listener, count(*) AS answers
    FROM answers
    WHERE arm = $arm AND latency_ms IS NOT NULL
    GROUP BY listener
),
named AS (SELECT "user", row_number() OVER (ORDER BY "user") - 1 AS listener FROM listener_table),
running AS (
    SELECT
        c.listener,
        sum(c.answers) OVER (
            ORDER BY md5(n."user"), n."user" ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS so_far
    FROM counts AS c
    INNER JOIN named AS n ON c.listener = n.listener
)
SELECT a.listener, a.latency_ms
FROM answers AS a
INNER JOIN running AS r ON a.listener = r.listener
WHERE a.arm = $arm AND a.latency_ms IS NOT NULL AND r.so_far <= $most;
