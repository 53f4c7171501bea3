-- Each listener under each set of arms: the first event, and how many there are. Events that a tester
-- forced are left out.
-- TABLE seen
SELECT
    CAST(experiments AS STRING) AS experiments,
    "user",
    min(at_ms) AS first_ms,
    min_by(turn, (at_ms, turn)) AS first_turn,
    min_by(file_id, (at_ms, turn, file_id)) AS file_id,
    min_by(config, (at_ms, turn, config)) FILTER (WHERE config IS NOT NULL) AS config,
    count(*) AS events,
    CAST(sum(CASE WHEN message = 'next' THEN 1 ELSE 0 END) AS BIGINT) AS answers
FROM events
WHERE NOT forced AND experiments IS NOT NULL
GROUP BY CAST(experiments AS STRING), "user";
