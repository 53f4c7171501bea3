-- Session times by arm in classes of equal width; the last is open upwards.
SELECT
    arm,
    least(CAST(floor(round(time_all, 6) / $width + 1e-6) AS BIGINT), $last) AS class,
    count(*) AS sessions
FROM arm_sessions
WHERE experiment = $experiment AND ended
GROUP BY arm, class
ORDER BY arm, class;
