-- Arms of every experiment, with their listeners and sessions.

SELECT
    experiment,
    arm,
    count(*) AS listeners,
    CAST(sum(sessions) AS BIGINT) AS sessions,
    CAST(sum(open_sessions) AS BIGINT) AS "open sessions",
    avg(mean_time_all) AS "mean session time",
    avg(mean_time_chosen) AS "without the first track"
FROM listeners
GROUP BY 1, 2
ORDER BY 1, 2;
