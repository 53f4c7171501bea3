-- Examples of decisions whose propensity or candidates look wrong, the impossible ones first.
SELECT e.file_id, e.line, a.arm, e.answered_by, e.propensity, e.candidates
FROM events AS e
INNER JOIN assignments AS a ON e.experiments = a.experiments
WHERE a.experiment = $experiment AND e.message = 'next' AND NOT e.forced AND e."schema" > 0 AND (
    e.propensity IS NULL OR NOT (e.propensity > 0 AND e.propensity <= 1 + 1e-9)
    OR e.candidates IS NULL OR e.candidates < 1 OR abs(e.propensity * e.candidates - 1) > 1e-6
) AND array_contains($faulty, concat(a.arm, chr(10), e.answered_by))
ORDER BY e.propensity > 0 AND e.propensity <= 1 AND e.candidates >= 1, e.file_id, e.line
LIMIT 10;
