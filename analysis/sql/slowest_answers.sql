-- The slowest answers of an arm's sampled listeners: those above this share of all their answers.
WITH timed AS (
    SELECT a.listener, a.latency_ms, s.answers
    FROM answers AS a
    INNER JOIN sampled_listeners AS s ON a.arm = s.arm AND a.listener = s.listener
    WHERE a.arm = $arm AND a.latency_ms IS NOT NULL
)
SELECT listener, latency_ms, answers
FROM timed
WHERE latency_ms >= (SELECT percentile_disc({share}) WITHIN GROUP (ORDER BY latency_ms) FROM timed);
