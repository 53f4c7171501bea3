-- The listen that begins each listener's first session in the experiment: its time, and how far that
-- is from the mean of all.
WITH begun AS (
    SELECT a.arm, f."user", min_by(f."time", f.started_ms) AS first_time
    FROM first_listens AS f
    INNER JOIN assignments AS a ON f.experiments = a.experiments
    WHERE a.experiment = $experiment
    GROUP BY a.arm, f."user"
)
SELECT b.arm, b."user", b.first_time, abs(b.first_time - c.centre) AS distance
FROM begun AS b
CROSS JOIN (SELECT avg(first_time) AS centre FROM begun) AS c;
