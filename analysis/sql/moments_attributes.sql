-- The attributes that each listener's requests had, with the first turn of each.
SELECT experiments, "user", attributes, min(turn) AS turn
FROM events
WHERE attributes IS NOT NULL AND experiments IS NOT NULL
GROUP BY experiments, "user", attributes;
