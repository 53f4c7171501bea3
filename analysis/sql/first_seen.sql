-- Each listener of each experiment: the arm of the first event, when and where that was, and how much
-- came of it.
-- TABLE first_seen
SELECT
    a.experiment,
    s."user",
    min_by(a.arm, (s.first_ms, s.first_turn, a.arm)) AS arm,
    count(DISTINCT a.arm) AS arms,
    min(s.first_ms) AS first_ms,
    min_by(s.file_id, (s.first_ms, s.first_turn, s.file_id)) AS file_id,
    min_by(s.config, (s.first_ms, s.first_turn, s.config)) FILTER (WHERE s.config IS NOT NULL) AS config,
    CAST(sum(s.events) AS BIGINT) AS events,
    CAST(sum(s.answers) AS BIGINT) AS answers
FROM seen AS s
INNER JOIN assignments AS a ON s.experiments = a.experiments
GROUP BY a.experiment, s."user";
