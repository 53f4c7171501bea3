-- The first turns of an arm in which a strategy failed, with the strategies.
SELECT e.file_id, e.line, e.failed
FROM events AS e
INNER JOIN assignments AS a ON e.experiments = a.experiments
WHERE a.experiment = $experiment AND a.arm = $arm AND e.failed IS NOT NULL AND NOT e.forced
UNION ALL
SELECT u.file_id, u.line, u.failed
FROM unplaced AS u
INNER JOIN assignments AS a ON u.experiments = a.experiments
WHERE a.experiment = $experiment AND a.arm = $arm AND u.message = 'error'
ORDER BY file_id, line
LIMIT 5;
