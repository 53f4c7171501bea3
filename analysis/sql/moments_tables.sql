-- The tables of a log, from the parts of its moments: each as `events/sql/` makes it of events.
--
-- A session that goes on past midnight has rows in two parts. Whatever adds up is added; whatever
-- belongs to its first turn is taken from the part that has it.

-- TABLE pieces
SELECT
    "user",
    session,
    experiments,
    min("schema") AS "schema",
    min(first_turn) AS first_turn,
    min_by(config, first_turn) FILTER (WHERE config IS NOT NULL) AS config,
    min(started_ms) AS started_ms,
    max(ended_ms) AS ended_ms,
    max(final) AS final,
    max(forced) AS forced,
    CAST(sum(events) AS BIGINT) AS events,
    CAST(sum(listens) AS BIGINT) AS listens,
    sum(time_all) AS time_all,
    min_by(time_first, first_turn) AS time_first,
    min_by(listens_first, first_turn) AS listens_first,
    sum(skips_all) AS skips_all,
    min_by(skips_first, first_turn) AS skips_first,
    sum(recommendations) AS recommendations,
    sum(fallbacks) AS fallbacks,
    sum(latency_s) AS latency_s,
    sum(timed) AS timed
FROM kept_pieces
GROUP BY "user", session, experiments;

-- VIEW events
SELECT
    "user",
    session,
    track,
    recommendation,
    CASE WHEN answer THEN 'next' ELSE 'heard' END AS message,
    CAST(NULL AS DOUBLE) AS took_us,
    latency_s
FROM kept_turns;

-- VIEW exposures
SELECT p."user", p.session, p.first_turn AS turn, p.started_ms AS at_ms, a.experiment, a.arm
FROM pieces AS p
INNER JOIN assignments AS a ON p.experiments = a.experiments
UNION ALL
SELECT p."user", p.session, p.first_turn AS turn, p.ended_ms AS at_ms, a.experiment, a.arm
FROM pieces AS p
INNER JOIN assignments AS a ON p.experiments = a.experiments;

-- VIEW told_attributes
SELECT experiments, "user", attributes, turn FROM kept_attributes;

-- TABLE config_counts
SELECT
    experiments,
    config,
    CAST(sum(events) AS BIGINT) AS events,
    min(first_ms) AS first_ms
FROM kept_config_counts
GROUP BY experiments, config;

-- VIEW unplaced
SELECT "user", at_ms, TRUE AS degraded FROM kept_degraded;

-- VIEW forgotten
SELECT "user", at_ms FROM kept_forgotten;

-- TABLE catalog
SELECT DISTINCT track, artist FROM kept_catalog;
