-- Listeners by arm, for the day and for the process on which they first came.
SELECT
    'day ' || day_of(first_ms) AS part,
    arm,
    count(*)
FROM {listeners}
WHERE experiment = $experiment
GROUP BY part, arm
UNION ALL
SELECT 'process ' || p.process AS part, f.arm, count(*)
FROM {listeners} AS f
INNER JOIN processes AS p ON f.file_id = p.file_id
WHERE f.experiment = $experiment
GROUP BY part, f.arm
ORDER BY 1, 2;
