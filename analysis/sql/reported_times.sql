-- How each listener's times are written: whole numbers, tenths, hundredths, and the ends of the scale.
-- TABLE times_of_listeners
SELECT
    a.arm,
    e."user",
    count(*) AS listens,
    count(*) FILTER (WHERE e."time" = 0) AS zeros,
    count(*) FILTER (WHERE e."time" = 1) AS ones,
    count(*) FILTER (WHERE e."time" > 0 AND e."time" < 1) AS inside,
    count(*) FILTER (
        WHERE e."time" > 0 AND e."time" < 1 AND abs(e."time" * 10 - round(e."time" * 10)) < 1e-6
    ) AS tenths,
    count(*) FILTER (
        WHERE e."time" > 0 AND e."time" < 1 AND abs(e."time" * 100 - round(e."time" * 100)) < 1e-6
    ) AS hundredths,
    max(e."time") AS longest
FROM events AS e
INNER JOIN assignments AS a ON e.experiments = a.experiments
WHERE a.experiment = $experiment AND e."time" IS NOT NULL AND NOT e.forced
GROUP BY a.arm, e."user";
