-- Decisions by arm, answering strategy and config: how many have an impossible propensity, no candidates,
-- or a propensity other than 1 / candidates.
SELECT
    a.arm,
    e.answered_by,
    e.config,
    count(*),
    count(*) FILTER (WHERE e.propensity IS NULL OR NOT (e.propensity > 0 AND e.propensity <= 1 + 1e-9)),
    count(*) FILTER (WHERE e.candidates IS NULL OR e.candidates < 1),
    count(*) FILTER (
        WHERE e.propensity > 0 AND e.propensity <= 1 AND e.candidates >= 1
        AND abs(e.propensity * e.candidates - 1) > 1e-6
    ),
    avg(e.propensity)
FROM events AS e
INNER JOIN assignments AS a ON e.experiments = a.experiments
WHERE a.experiment = $experiment AND e.message = 'next' AND NOT e.forced AND e."schema" > 0
GROUP BY a.arm, e.answered_by, e.config
ORDER BY a.arm, e.answered_by, e.config;
