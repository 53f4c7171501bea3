-- Session time by arm and stretch of time, by when the session began: sums over the listeners of
-- their mean in the stretch alone, and by how much the sums of their mean so far grow there. Means
-- are whole billionths.
WITH own AS (
    SELECT
        arm,
        "user",
        CAST(floor((started_ms - $from_ms) / $step_ms) AS BIGINT) AS stretch,
        sum(CAST(round(time_all * 1e9) AS BIGINT)) AS time_all,
        count(*) AS sessions
    FROM arm_sessions
    WHERE experiment = $experiment AND ended AND started_ms BETWEEN $from_ms AND $to_ms
    GROUP BY arm, "user", stretch
),
means AS (
    SELECT
        arm,
        "user",
        stretch,
        CAST(round(CAST(time_all AS DOUBLE) / sessions) AS DECIMAL(38, 0)) AS alone,
        CAST(round(CAST(sum(time_all) OVER story AS DOUBLE) / sum(sessions) OVER story) AS DECIMAL(38, 0))
            AS so_far
    FROM own
    WINDOW story AS (PARTITION BY "user" ORDER BY stretch)
),
steps AS (
    SELECT *, lag(so_far) OVER (PARTITION BY "user" ORDER BY stretch) AS before FROM means
)
SELECT
    arm,
    stretch,
    count(*),
    sum(alone),
    sum(alone * alone),
    sum(CASE WHEN before IS NULL THEN 1 ELSE 0 END),
    sum(so_far - coalesce(before, 0)),
    sum(so_far * so_far - coalesce(before * before, 0))
FROM steps
GROUP BY arm, stretch
ORDER BY stretch, arm;
