-- Sessions, by what ended them.

SELECT
    ended_by AS "ended by",
    count(*) AS sessions,
    sum(events)::BIGINT AS events,
    sum(listens)::BIGINT AS listens,
    avg(time_all) AS "mean time",
    avg(time_chosen) AS "mean time without the first track"
FROM sessions
GROUP BY 1
ORDER BY 2 DESC;
