-- Listeners whom the effects leave out, and why: x is 1 for such a listener. Only listeners who came
-- early enough for a session of theirs to be over.
SELECT f.arm, f."user", CASE WHEN e.reason IS NULL THEN 0 ELSE 1 END AS x, 1 AS y, e.reason
FROM first_seen AS f
LEFT JOIN excluded AS e ON f.experiment = e.experiment AND f."user" = e."user"
WHERE f.experiment = $experiment AND f.first_ms < $before_ms;
