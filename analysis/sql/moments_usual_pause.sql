-- The pause that nine of ten pauses do not exceed; those of sessions that go on in a later part too.
WITH crossing AS (
    SELECT first_at_ms - lag(last_at_ms) OVER (
        PARTITION BY "user", session ORDER BY turn_from
    ) AS pause
    FROM kept_chains
),
counted AS (
    SELECT pause, pauses FROM kept_pauses
    UNION ALL
    SELECT least(greatest(pause, {shortest}), {longest}) AS pause, 1 AS pauses
    FROM crossing
    WHERE pause IS NOT NULL
),
summed AS (SELECT pause, sum(pauses) AS pauses FROM counted GROUP BY pause),
ranked AS (
    SELECT
        pause,
        sum(pauses) OVER (
            ORDER BY pause ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS up_to,
        sum(pauses) OVER () AS total
    FROM summed
)
SELECT coalesce(CAST(min(pause) AS BIGINT), 0) FROM ranked WHERE 10 * up_to >= 9 * total;
