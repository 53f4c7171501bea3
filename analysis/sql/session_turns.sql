-- One row for each session of ours: its first and last turn, and the line of the first one.
-- VIEW session_turns
SELECT
    e."user",
    e.session,
    min(e.turn) AS turn_from,
    max(e.turn) AS turn_to,
    count(*) AS events,
    count(DISTINCT e.turn) AS turns,
    min(e.at_ms) AS started_ms,
    max(e.at_ms) AS ended_ms,
    min_by(p.process, e.turn) AS process,
    min_by(e.file_id, e.turn) AS file_id,
    min_by(e.line, e.turn) AS line,
    min_by(coalesce(e."reset", FALSE), e.turn) AS afresh
FROM events AS e
INNER JOIN processes AS p ON e.file_id = p.file_id
WHERE e."schema" > 0
GROUP BY e."user", e.session;
