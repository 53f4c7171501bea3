-- Listens by arm and by hundredth of the time heard, of those strictly between 0 and 1.
-- TABLE times_by_hundredth
SELECT a.arm, CAST(round(e."time" * 100) AS INTEGER) AS hundredth, count(*) AS listens
FROM events AS e
INNER JOIN assignments AS a ON e.experiments = a.experiments
WHERE a.experiment = $experiment AND e."time" > 0 AND e."time" < 1 AND NOT e.forced
GROUP BY a.arm, hundredth;
