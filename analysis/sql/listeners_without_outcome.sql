-- Listeners who got tracks but told nothing of what they heard: x is 1 for such a listener.
SELECT s.arm, s."user", CASE WHEN sum(s.listens_chosen) > 0 THEN 0 ELSE 1 END AS x, 1 AS y
FROM arm_sessions AS s
WHERE s.experiment = $experiment
GROUP BY s.arm, s."user"
HAVING sum(s.recommendations) > 0 AND min(s.ended_ms) < $before_ms;
