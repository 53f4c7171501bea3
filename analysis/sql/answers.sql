-- Every answer given to a counted listener: whose, in which arm, and how long it took.
-- TABLE answers
SELECT
    e."user" AS listener,
    s.arm,
    e.recommendation,
    round(1000 * coalesce(e.took_us / 1e6, e.latency_s), 6) AS latency_ms
FROM events AS e
INNER JOIN arm_sessions AS s ON e."user" = s."user" AND e.session = s.session
WHERE s.experiment = $experiment AND e.message = 'next';
