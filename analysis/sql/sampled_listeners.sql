-- Listeners of each arm with their timed answers: all, or, of an arm with more than $most answers,
-- those with the smallest MD5 of their id, at most $most answers.
--
-- A sum over all listeners in the order of their MD5 would be made by one machine. So the listeners
-- are divided by the first three digits into 4096 parts, whose sums are added up before.
-- TABLE sampled_listeners
WITH counts AS (
    SELECT arm, listener, md5(listener) AS mark, count(*) AS answers
    FROM answers
    WHERE latency_ms IS NOT NULL
    GROUP BY arm, listener
),
parts AS (
    SELECT arm, substr(mark, 1, 3) AS part, sum(answers) AS answers
    FROM counts
    GROUP BY arm, part
),
begun AS (
    SELECT arm, part, sum(answers) OVER (PARTITION BY arm ORDER BY part) - answers AS before
    FROM parts
),
running AS (
    SELECT
        c.arm,
        c.listener,
        c.answers,
        b.before + sum(c.answers) OVER (
            PARTITION BY c.arm, b.part ORDER BY c.mark, c.listener
            ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS so_far
    FROM counts AS c
    INNER JOIN begun AS b ON c.arm = b.arm AND substr(c.mark, 1, 3) = b.part
)
SELECT arm, listener, answers FROM running WHERE so_far <= $most;
