-- Events, distinct turns, turns missing inside of sessions and between them, listeners whose first turn is not there,
-- and listeners.
SELECT
    sum(events),
    sum(turns),
    sum(turn_to - turn_from + 1 - turns),
    sum(CASE WHEN gap THEN greatest(turn_from - before_to - 1, 1) ELSE 0 END),
    count(DISTINCT "user") - count(DISTINCT CASE WHEN turn_from = 1 THEN "user" END),
    count(DISTINCT "user")
FROM session_chains;
