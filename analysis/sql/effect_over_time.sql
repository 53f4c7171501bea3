-- Session time of each listener in each stretch of time, by when the session began.
SELECT
    l."user" AS listener,
    CAST(floor((s.started_ms - $from_ms) / $step_ms) AS BIGINT) AS stretch,
    round(sum(s.time_all), 9) AS time_all,
    count(*) AS sessions
FROM arm_sessions AS s
INNER JOIN listener_table AS l ON s."user" = l."user"
WHERE s.experiment = $experiment AND s.ended
GROUP BY l."user", stretch
ORDER BY stretch, l."user";
