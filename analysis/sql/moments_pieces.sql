-- The pieces of sessions (events/sql/sessions.sql), with types that both engines write alike.
SELECT
    "user",
    session,
    CAST(experiments AS STRING) AS experiments,
    CAST("schema" AS INTEGER) AS "schema",
    CAST(first_turn AS BIGINT) AS first_turn,
    config,
    CAST(started_ms AS BIGINT) AS started_ms,
    CAST(ended_ms AS BIGINT) AS ended_ms,
    CAST(final AS INTEGER) AS final,
    CAST(forced AS INTEGER) AS forced,
    CAST(events AS BIGINT) AS events,
    CAST(listens AS BIGINT) AS listens,
    CAST(time_all AS BIGINT) AS time_all,
    CAST(time_first AS BIGINT) AS time_first,
    CAST(listens_first AS INTEGER) AS listens_first,
    CAST(skips_all AS BIGINT) AS skips_all,
    CAST(skips_first AS INTEGER) AS skips_first,
    CAST(recommendations AS BIGINT) AS recommendations,
    CAST(fallbacks AS BIGINT) AS fallbacks,
    CAST(latency_s AS BIGINT) AS latency_s,
    CAST(timed AS BIGINT) AS timed
FROM pieces;
