-- Session times by arm in classes of equal width; the last is open upwards.
SELECT
    arm,
    least(CAST(floor(time_all / $width) AS BIGINT), $last) AS class,
    count(*) AS sessions
FROM arm_sessions
WHERE experiment = $experiment AND ended
GROUP BY arm, class
ORDER BY arm, class;
