-- Session time by arm and day since the listener entered: sums over the listeners of their mean on
-- that day, in whole billionths. Day 0 begins with the entry.
WITH own AS (
    SELECT
        l.arm,
        l."user",
        CAST(floor((s.started_ms - l.first_ms) / 86400000) AS BIGINT) AS day,
        sum(CAST(round(s.time_all * 1e9) AS BIGINT)) AS time_all,
        count(*) AS sessions
    FROM arm_sessions AS s
    INNER JOIN listener_table AS l ON s."user" = l."user"
    WHERE s.experiment = $experiment AND s.ended AND s.started_ms >= l.first_ms
    GROUP BY l.arm, l."user", day
),
means AS (
    SELECT arm, day, CAST(round(CAST(time_all AS DOUBLE) / sessions) AS DECIMAL(38, 0)) AS x
    FROM own
)
SELECT arm, day, count(*), sum(x), sum(x * x)
FROM means
GROUP BY arm, day
ORDER BY day, arm;
