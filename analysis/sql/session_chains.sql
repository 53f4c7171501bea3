-- One row for each session of ours, with the session of the listener before it.
--
-- Processes without a shared state each count a listener's turns from 1. A session continues the
-- session that ended one turn before it. `again`: a listener's second first turn, or a later one.
-- `crossed`: the listener is back from a process of which both counted turns from the first one, and
-- the turns do not go on there. `life`: how often the listener's history was deleted before.
-- TABLE session_chains
WITH parts AS (SELECT * FROM session_turns),
ends AS (SELECT DISTINCT "user", turn_to FROM parts),
deleted AS (
    SELECT p."user", p.session, count(*) AS times
    FROM parts AS p
    INNER JOIN forgotten AS f ON p."user" = f."user" AND f.at_ms <= p.started_ms
    GROUP BY p."user", p.session
),
lives AS (
    SELECT p.*, coalesce(d.times, 0) AS life
    FROM parts AS p
    LEFT JOIN deleted AS d ON p."user" = d."user" AND p.session = d.session
)
SELECT
    p.*,
    lag(p.turn_to) OVER story AS before_to,
    lag(p.ended_ms) OVER story AS before_ms,
    lag(p.process) OVER story AS before_process,
    p.turn_from > 1 AND e.turn_to IS NULL AND lag(p.turn_to) OVER story IS NOT NULL AS gap,
    p.turn_from = 1 AND NOT p.afresh AND row_number() OVER (
        PARTITION BY p."user", p.life, p.turn_from ORDER BY p.started_ms, p.session
    ) > 1 AS again,
    p.turn_from > 1 AND p.own AND p.process <> lag(p.process) OVER story
        AND lag(p.own) OVER story AND lag(p.turn_to) OVER story <> p.turn_from - 1 AS crossed
FROM (
    SELECT *, min(turn_from) OVER (PARTITION BY "user", process) = 1 AS own FROM lives
) AS p
LEFT JOIN ends AS e ON p."user" = e."user" AND p.turn_from = e.turn_to + 1
WINDOW story AS (PARTITION BY p."user" ORDER BY p.started_ms, p.turn_from, p.session);
