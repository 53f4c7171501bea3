-- Arms of every experiment, with their listeners and sessions.

SELECT
    experiment,
    arm,
    count(*) AS listeners,
    sum(sessions)::BIGINT AS sessions,
    sum(open_sessions)::BIGINT AS "open sessions",
    avg(mean_time_all) AS "mean session time",
    avg(mean_time_chosen) AS "without the first track"
FROM listeners
GROUP BY 1, 2
ORDER BY 1, 2;
