-- Listeners of a past log, whatever experiments they were in: what an experiment's listener table
-- will look like. Ended sessions that nobody was forced into; the columns of `listener_table`.

-- TABLE pilot_listeners
WITH summed AS (
    SELECT
        s."user",
        min(s.started_ms) AS first_ms,
        count(*) AS sessions,
        sum(CAST(round(s.time_all * 1e9) AS BIGINT)) / 1e9 AS time_all,
        sum(CAST(round(s.time_chosen * 1e9) AS BIGINT)) / 1e9 AS time_chosen,
        CAST(sum(s.listens) AS BIGINT) AS listens,
        CAST(sum(s.listens_chosen) AS BIGINT) AS listens_chosen,
        CAST(sum(s.skips) AS BIGINT) AS skips,
        CAST(sum(s.recommendations) AS BIGINT) AS recommendations,
        CAST(sum(s.fallbacks) AS BIGINT) AS fallbacks,
        sum(CAST(round(s.latency_s * 1e9) AS BIGINT)) / 1e9 AS latency_s,
        CAST(sum(s.timed) AS BIGINT) AS timed,
        CAST(sum(v.tracks) AS DOUBLE) / count(*) AS distinct_tracks,
        CAST(sum(v.artists) AS DOUBLE) / count(*) AS distinct_artists
    FROM sessions AS s
    INNER JOIN variety AS v ON s."user" = v."user" AND s.session = v.session
    WHERE s.ended AND NOT s.forced
    GROUP BY s."user"
)
SELECT
    *,
    time_all / sessions AS mean_time_all,
    time_chosen / sessions AS mean_time_chosen,
    CAST(listens AS DOUBLE) / sessions AS mean_listens
FROM summed;
