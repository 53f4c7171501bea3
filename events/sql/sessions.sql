-- Sessions, and the arms of each in every experiment.
--
-- No recommendation of a session chose the track of its first event: `time_all` counts that track (as
-- botify's notebooks did), `time_chosen` does not.
--
-- Times are added up as whole billionths, so that the sums do not depend on the order of the rows.
--
-- `pieces` has a row for each session and each set of arms that it saw, nearly always one.

-- TABLE pieces
WITH summed AS (
    SELECT
        "user",
        session,
        experiments,
        min("schema") AS "schema",
        min(turn) AS first_turn,
        min_by(config, turn) FILTER (WHERE config IS NOT NULL) AS config,
        min(at_ms) AS started_ms,
        max(at_ms) AS ended_ms,
        max(CASE WHEN message = 'last' THEN 1 ELSE 0 END) AS final,
        max(CASE WHEN forced THEN 1 ELSE 0 END) AS forced,
        count(*) AS events,
        count("time") AS listens,
        coalesce(sum(CAST(round("time" * 1e9) AS BIGINT)), 0) AS time_all,
        min_by(coalesce("time", -1), turn) AS first_time,
        count(CASE WHEN "time" < {skip_below} THEN 1 END) AS skips_all,
        count(CASE WHEN message = 'next' THEN 1 END) AS recommendations,
        count(CASE WHEN message = 'next' AND depth > 0 THEN 1 END) AS fallbacks,
        -- The decision's own time where the log has it: `latency` includes what came in the same
        -- batch.
        coalesce(sum(
            CASE
                WHEN message = 'next'
                    THEN CAST(round(coalesce(took_us / 1e6, latency_s) * 1e9) AS BIGINT)
            END
        ), 0) AS latency_s,
        count(CASE WHEN message = 'next' THEN coalesce(took_us, latency_s) END) AS timed
    FROM events
    GROUP BY "user", session, experiments
)
SELECT
    "user",
    session,
    experiments,
    "schema",
    first_turn,
    config,
    started_ms,
    ended_ms,
    final,
    forced,
    events,
    listens,
    time_all,
    CASE WHEN first_time >= 0 THEN CAST(round(first_time * 1e9) AS BIGINT) ELSE 0 END AS time_first,
    CASE WHEN first_time >= 0 THEN 1 ELSE 0 END AS listens_first,
    skips_all,
    CASE WHEN first_time >= 0 AND first_time < {skip_below} THEN 1 ELSE 0 END AS skips_first,
    recommendations,
    fallbacks,
    latency_s,
    timed
FROM summed;

-- TABLE sessions
WITH whole AS (
    SELECT
        "user",
        session,
        min("schema") AS "schema",
        min(first_turn) AS first_turn,
        min_by(config, first_turn) FILTER (WHERE config IS NOT NULL) AS config,
        min(started_ms) AS started_ms,
        max(ended_ms) AS ended_ms,
        max(final) AS final,
        max(forced) AS forced,
        sum(events) AS events,
        sum(listens) AS listens,
        sum(time_all) AS time_all,
        min_by(time_first, first_turn) AS time_first,
        min_by(listens_first, first_turn) AS listens_first,
        sum(skips_all) AS skips_all,
        min_by(skips_first, first_turn) AS skips_first,
        sum(recommendations) AS recommendations,
        sum(fallbacks) AS fallbacks,
        sum(latency_s) AS latency_s,
        sum(timed) AS timed
    FROM pieces
    GROUP BY "user", session
),
log_end AS (SELECT end_ms AS at_ms FROM log_span)
SELECT
    w.session,
    w."user",
    w."schema",
    w.first_turn,
    w.config,
    w.started_ms,
    w.ended_ms,
    CASE
        WHEN w.final = 1 THEN 'last'
        WHEN log_end.at_ms - w.ended_ms > {gap_ms} THEN 'gap'
        ELSE 'open'
    END AS ended_by,
    w.final = 1 OR log_end.at_ms - w.ended_ms > {gap_ms} AS ended,
    w.forced = 1 AS forced,
    CAST(w.events AS BIGINT) AS events,
    CAST(w.listens AS BIGINT) AS listens,
    CAST(w.listens - w.listens_first AS BIGINT) AS listens_chosen,
    CAST(w.time_all AS DOUBLE) / 1e9 AS time_all,
    CAST(w.time_all - w.time_first AS DOUBLE) / 1e9 AS time_chosen,
    CAST(w.skips_all - w.skips_first AS BIGINT) AS skips,
    CAST(w.recommendations AS BIGINT) AS recommendations,
    CAST(w.fallbacks AS BIGINT) AS fallbacks,
    CAST(w.latency_s AS DOUBLE) / 1e9 AS latency_s,
    CAST(w.timed AS BIGINT) AS timed
FROM whole AS w
CROSS JOIN log_end;

-- How varied each session was; a view, because it costs a second pass over the events.
-- VIEW variety
SELECT
    e."user",
    e.session,
    count(DISTINCT e.track) AS tracks,
    count(DISTINCT c.artist) AS artists
FROM events AS e
LEFT JOIN catalog AS c ON e.track = c.track
GROUP BY e."user", e.session;

-- TABLE session_arms
SELECT
    p."user",
    p.session,
    a.experiment,
    min(a.arm) AS arm,
    count(DISTINCT a.arm) AS arms,
    CAST(sum(p.events) AS BIGINT) AS events
FROM pieces AS p
INNER JOIN assignments AS a ON p.experiments = a.experiments
GROUP BY p."user", p.session, a.experiment;
