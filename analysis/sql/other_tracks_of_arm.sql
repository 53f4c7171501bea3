-- The first $4 answers in arm $2 of the experiment $1 that recommended a different track than $3.

SELECT e.file_id, e.line, e."user", e.recommendation
FROM events AS e
INNER JOIN assignments AS a ON e.experiments = a.experiments
WHERE
    a.experiment = $1
    AND a.arm = $2
    AND e.message = 'next'
    AND NOT e.forced
    AND e.recommendation IS DISTINCT FROM $3
ORDER BY e.file_id, e.line
LIMIT $4;
