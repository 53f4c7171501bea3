-- Each listener of each experiment: the arm of the first event, when and where that was, and how much
-- came of it. Events that a tester forced are left out.
-- TABLE first_seen
SELECT
    a.experiment,
    e."user",
    min_by(a.arm, (e.at_ms, e.turn)) AS arm,
    count(DISTINCT a.arm) AS arms,
    min(e.at_ms) AS first_ms,
    min_by(e.file_id, (e.at_ms, e.turn)) AS file_id,
    min_by(e.config, (e.at_ms, e.turn)) FILTER (WHERE e.config IS NOT NULL) AS config,
    count(*) AS events,
    count(*) FILTER (WHERE e.message = 'next') AS answers
FROM events AS e
INNER JOIN assignments AS a ON e.experiments = a.experiments
WHERE NOT e.forced
GROUP BY a.experiment, e."user";
