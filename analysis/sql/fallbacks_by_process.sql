-- Answers by a fallback (x) of all answers (y) of an arm, by process and listener.
SELECT p.process, e."user", count(*) FILTER (WHERE e.depth > 0) AS x, count(*) AS y
FROM events AS e
INNER JOIN assignments AS a ON e.experiments = a.experiments
INNER JOIN processes AS p ON e.file_id = p.file_id
WHERE a.experiment = $experiment AND a.arm = $arm
    AND e.message = 'next' AND NOT e.forced AND e."schema" > 0
GROUP BY p.process, e."user";
