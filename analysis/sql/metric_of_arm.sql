-- The values of a metric in one arm, in the order of the listeners.
SELECT metric_x
FROM (
    SELECT
        arm,
        "user",
        CAST(({value}) AS DOUBLE) AS metric_x,
        CAST(({per}) AS DOUBLE) AS metric_y
    FROM listener_table
) AS valued
WHERE arm = ? AND abs(metric_x) < 1e300 AND abs(metric_y) < 1e300
ORDER BY valued."user";
