-- Each listener under each set of arms: the first event, and how many there are. Events that a tester
-- forced are left out.
SELECT
    experiments,
    "user",
    min(at_ms) AS first_ms,
    min_by(turn, (at_ms, turn)) AS first_turn,
    min_by(file_id, (at_ms, turn)) AS file_id,
    min_by(config, (at_ms, turn)) AS config,
    count(*) AS events,
    sum(CASE WHEN message = 'next' THEN 1 ELSE 0 END) AS answers
FROM events
WHERE NOT forced AND experiments IS NOT NULL
GROUP BY experiments, "user";
