-- The sums that a listener's metrics need, one row for each listener and experiment.
--
-- Means are over ended sessions; a session still open at the end of the log is only counted.
-- Times are added up as whole billionths, as in sessions. A report that counts fewer sessions makes
-- a temporary table of the same form from a temporary view `arm_sessions`.

-- TABLE listeners
WITH begun AS (
    SELECT e.experiment, min(e.first_ms) AS at_ms
    FROM exposed AS e
    INNER JOIN log_span AS l ON e.first_ms >= l.begin_ms
    GROUP BY e.experiment
),
before AS (
    SELECT
        b.experiment,
        s."user",
        count(*) AS sessions,
        sum(CAST(round(s.time_all * 1e9) AS BIGINT)) / 1e9 / count(*) AS mean_time_all,
        sum(CAST(round(s.time_chosen * 1e9) AS BIGINT)) / 1e9 / count(*) AS mean_time_chosen,
        sum(CAST(round(s.time_all * 1e9) AS BIGINT)) / 1e9 AS time_all
    FROM sessions AS s
    INNER JOIN begun AS b ON s.ended_ms < b.at_ms
    WHERE s.ended
    GROUP BY b.experiment, s."user"
),
during AS (
    SELECT
        experiment,
        arm,
        "user",
        min(started_ms) AS first_ms,
        sum(CASE WHEN ended THEN 1 ELSE 0 END) AS sessions,
        sum(CASE WHEN ended THEN 0 ELSE 1 END) AS open_sessions,
        sum(CASE WHEN ended THEN CAST(round(time_all * 1e9) AS BIGINT) ELSE 0 END) AS time_all,
        sum(CASE WHEN ended THEN CAST(round(time_chosen * 1e9) AS BIGINT) ELSE 0 END) AS time_chosen,
        sum(CASE WHEN ended THEN listens ELSE 0 END) AS listens,
        sum(CASE WHEN ended THEN listens_chosen ELSE 0 END) AS listens_chosen,
        sum(CASE WHEN ended THEN skips ELSE 0 END) AS skips,
        sum(CASE WHEN ended THEN recommendations ELSE 0 END) AS recommendations,
        sum(CASE WHEN ended THEN fallbacks ELSE 0 END) AS fallbacks,
        sum(CASE WHEN ended THEN CAST(round(latency_s * 1e9) AS BIGINT) ELSE 0 END) AS latency_s,
        sum(CASE WHEN ended THEN timed ELSE 0 END) AS timed
    FROM arm_sessions
    GROUP BY experiment, arm, "user"
)
SELECT
    d.experiment,
    d.arm,
    d."user",
    d.first_ms,
    CAST(d.sessions AS BIGINT) AS sessions,
    CAST(d.open_sessions AS BIGINT) AS open_sessions,
    CAST(d.time_all AS DOUBLE) / 1e9 / nullif(d.sessions, 0) AS mean_time_all,
    CAST(d.time_chosen AS DOUBLE) / 1e9 / nullif(d.sessions, 0) AS mean_time_chosen,
    CAST(d.listens AS DOUBLE) / nullif(d.sessions, 0) AS mean_listens,
    CAST(d.time_all AS DOUBLE) / 1e9 AS time_all,
    CAST(d.time_chosen AS DOUBLE) / 1e9 AS time_chosen,
    CAST(d.listens AS BIGINT) AS listens,
    CAST(d.listens_chosen AS BIGINT) AS listens_chosen,
    CAST(d.skips AS BIGINT) AS skips,
    CAST(d.recommendations AS BIGINT) AS recommendations,
    CAST(d.fallbacks AS BIGINT) AS fallbacks,
    CAST(d.latency_s AS DOUBLE) / 1e9 AS latency_s,
    CAST(d.timed AS BIGINT) AS timed,
    coalesce(b.sessions, 0) AS before_sessions,
    b.mean_time_all AS before_mean_time_all,
    b.mean_time_chosen AS before_mean_time_chosen,
    b.time_all AS before_time_all
FROM during AS d
LEFT JOIN before AS b ON d.experiment = b.experiment AND d."user" = b."user";
