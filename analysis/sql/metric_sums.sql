-- The sums of a metric by label and arm, of whole multiples of its smallest unit.
SELECT
    metric_label,
    arm,
    count(*),
    sum(x),
    sum(x * x),
    sum(y),
    sum(x * y),
    sum(y * y)
FROM (
    SELECT
        metric_label,
        arm,
        CAST(round(metric_x * {x_unit}) AS DECIMAL(38, 0)) AS x,
        CAST(round(metric_y * {y_unit}) AS DECIMAL(38, 0)) AS y
    FROM (
        SELECT
            arm,
            coalesce(CAST(({label}) AS STRING), '(none)') AS metric_label,
            CAST(({value}) AS DOUBLE) AS metric_x,
            CAST(({per}) AS DOUBLE) AS metric_y
        FROM {source}
    )
    WHERE abs(metric_x) < 1e300 AND abs(metric_y) < 1e300
)
GROUP BY metric_label, arm
ORDER BY metric_label, arm;
