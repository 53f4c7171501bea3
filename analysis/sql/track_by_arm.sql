-- By arm of the experiment $1: answers that recommended the track $2, and all answers. An answer
-- that somebody forced is left out.

SELECT
    a.arm,
    count(*) FILTER (WHERE e.recommendation = $2) AS played,
    count(*) AS answers
FROM events AS e
INNER JOIN assignments AS a ON e.experiments = a.experiments
WHERE a.experiment = $1 AND e.message = 'next' AND NOT e.forced
GROUP BY a.arm
ORDER BY a.arm;
