-- Session time of each listener on each day after they entered the experiment; day 0 begins then.
SELECT
    l."user" AS listener,
    CAST(floor((s.started_ms - l.first_ms) / 86400000) AS BIGINT) AS day,
    round(sum(s.time_all), 9) AS time_all,
    count(*) AS sessions
FROM arm_sessions AS s
INNER JOIN listener_table AS l ON s."user" = l."user"
WHERE s.experiment = $experiment AND s.ended AND s.started_ms >= l.first_ms
GROUP BY l."user", day
ORDER BY day, l."user";
