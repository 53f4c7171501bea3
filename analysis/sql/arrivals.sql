-- Listeners by arm and by the stretch of time in which they were first seen in the experiment.
SELECT
    CAST(floor((first_ms - $from_ms) / $step_ms) AS BIGINT) AS stretch,
    arm,
    count(*) AS listeners
FROM listener_table
WHERE first_ms BETWEEN $from_ms AND $to_ms
GROUP BY stretch, arm
ORDER BY stretch, arm;
