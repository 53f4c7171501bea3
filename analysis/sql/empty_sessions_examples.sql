-- Sessions of an arm's listeners without a recommendation, by their first line.
SELECT
    min_by(e.file_id, (e.turn, e.file_id, e.line)) AS file_id,
    min_by(e.line, (e.turn, e.file_id, e.line)) AS line,
    e."user",
    count(*)
FROM entered_sessions AS s
INNER JOIN events AS e ON s."user" = e."user" AND s.session = e.session
WHERE s.experiment = $experiment AND s.arm = $arm AND NOT s.answered
GROUP BY e."user", e.session
ORDER BY file_id, line
LIMIT 10;
