-- The turns of each session, from the parts of moments; see session_turns.sql. No part keeps lines.
-- TABLE session_turns
SELECT
    c."user",
    c.session,
    min(c.turn_from) AS turn_from,
    max(c.turn_to) AS turn_to,
    CAST(sum(c.events) AS BIGINT) AS events,
    CAST(sum(c.turns) AS BIGINT) AS turns,
    min(c.started_ms) AS started_ms,
    max(c.ended_ms) AS ended_ms,
    min_by(p.process, c.turn_from) AS process,
    min_by(c.files_before + c.file_id, c.turn_from) AS file_id,
    CAST(NULL AS BIGINT) AS line,
    min_by(c.afresh, c.turn_from) AS afresh
FROM kept_chains AS c
INNER JOIN processes AS p ON c.files_before + c.file_id = p.file_id
GROUP BY c."user", c.session;
