-- One row for each session of ours: its first and last turn, and the line of the first one.
-- VIEW session_turns
SELECT
    s."user",
    s.session,
    s.turn_from,
    s.turn_to,
    s.events,
    s.events - coalesce(d.turns, 0) AS turns,
    s.started_ms,
    s.ended_ms,
    p.process,
    s.file_id,
    s.line,
    s.afresh
FROM sessions_begun AS s
INNER JOIN processes AS p ON s.file_id = p.file_id
LEFT JOIN (
    SELECT "user", doubled, count(*) AS turns
    FROM steps
    WHERE doubled IS NOT NULL
    GROUP BY "user", doubled
) AS d ON s."user" = d."user" AND s.session = d.doubled
WHERE s."schema" > 0;
