-- The listen that begins each listener's first session in the experiment: its time, and how far that
-- is from the mean of all.
WITH begun AS (
    SELECT a.arm, f."user", arg_min(f."time", f.started_ms) AS first_time
    FROM first_listens AS f
    INNER JOIN assignments AS a ON f.experiments = a.experiments
    WHERE a.experiment = $experiment
    GROUP BY a.arm, f."user"
)
SELECT arm, "user", first_time, abs(first_time - avg(first_time) OVER ()) AS distance FROM begun;
