-- Sessions, by what ended them.

SELECT
    ended_by AS "ended by",
    count(*) AS sessions,
    CAST(sum(events) AS BIGINT) AS events,
    CAST(sum(listens) AS BIGINT) AS listens,
    avg(time_all) AS "mean time",
    avg(time_chosen) AS "mean time without the first track"
FROM sessions
GROUP BY 1
ORDER BY 2 DESC, 1;
