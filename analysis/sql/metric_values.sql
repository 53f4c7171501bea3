-- By arm: listeners with a finite value, those of them with an ended session, listeners whose value is
-- infinite or no number and the first of them, the largest numbers, and who holds most of the
-- denominator.
SELECT
    arm,
    sum(CASE WHEN finite THEN 1 ELSE 0 END),
    sum(CASE WHEN finite AND sessions > 0 THEN 1 ELSE 0 END),
    sum(CASE WHEN given AND NOT finite THEN 1 ELSE 0 END),
    min(CASE WHEN given AND NOT finite THEN "user" END),
    max(CASE WHEN finite THEN abs(metric_x) END),
    max(CASE WHEN finite THEN metric_y END),
    sum(CASE WHEN finite THEN metric_y END),
    min_by(
        CASE WHEN finite THEN "user" END, CASE WHEN finite THEN (-metric_y, "user") END
    )
FROM (
    SELECT
        *,
        metric_x IS NOT NULL AND metric_y IS NOT NULL AS given,
        abs(metric_x) < 1e300 AND abs(metric_y) < 1e300 AS finite
    FROM (
        SELECT
            arm,
            "user",
            sessions,
            CAST(({value}) AS DOUBLE) AS metric_x,
            CAST(({per}) AS DOUBLE) AS metric_y
        FROM listener_table
    )
)
GROUP BY arm
ORDER BY arm;
