-- By arm: sums of a metric (y), and of mean session time before the experiment (x) where there is one.
SELECT
    arm,
    count(*),
    sum(y),
    sum(y * y),
    count(x),
    sum(x),
    sum(x * x),
    sum(x * y),
    sum(CASE WHEN x IS NULL THEN y END)
FROM (
    SELECT
        arm,
        CAST(round(metric_x * {x_unit}) AS DECIMAL(38, 0)) AS y,
        CAST(round(before_mean_time_all * 1e9) AS DECIMAL(38, 0)) AS x
    FROM (
        SELECT
            arm,
            before_mean_time_all,
            CAST(({value}) AS DOUBLE) AS metric_x,
            CAST(({per}) AS DOUBLE) AS metric_y
        FROM listener_table
    )
    WHERE abs(metric_x) < 1e300 AND abs(metric_y) < 1e300
)
GROUP BY arm
ORDER BY arm;
