-- Events, distinct turns, turns missing inside of sessions and between them, listeners whose first turn is not there,
-- and listeners.
--
-- A turn that was decided without the shared state may have been counted there all the same, if the
-- connection broke before the reply: its line is there, without a turn.
WITH holes AS (
    SELECT
        *,
        turn_to - turn_from + 1 - turns AS inside,
        CASE WHEN gap THEN greatest(turn_from - before_to - 1, 1) ELSE 0 END AS between_sessions
    FROM session_chains
),
degraded AS (
    SELECT h."user", h.session, count(*) AS turns
    FROM holes AS h
    INNER JOIN unplaced AS u
        ON h."user" = u."user" AND u.at_ms BETWEEN coalesce(h.before_ms, h.started_ms) AND h.ended_ms
    WHERE u.degraded AND h.inside + h.between_sessions > 0
    GROUP BY h."user", h.session
)
SELECT
    sum(h.events),
    sum(h.turns),
    sum(greatest(h.inside - coalesce(d.turns, 0), 0)),
    sum(greatest(h.between_sessions - greatest(coalesce(d.turns, 0) - h.inside, 0), 0)),
    count(DISTINCT h."user") - count(DISTINCT CASE WHEN h.turn_from = 1 THEN h."user" END),
    count(DISTINCT h."user")
FROM holes AS h
LEFT JOIN degraded AS d ON h."user" = d."user" AND h.session = d.session;
