-- Hundredths that an arm never reports, although it reports both neighbours, and every other arm reports
-- this one.
WITH digits AS (SELECT d FROM (VALUES (0), (1), (2), (3), (4), (5), (6), (7), (8), (9)) AS v (d)),
grid AS (
    SELECT arms.arm, g.hundredth, coalesce(t.listens, 0) AS listens
    FROM (SELECT DISTINCT arm FROM times_by_hundredth) AS arms
    CROSS JOIN (SELECT 10 * t.d + u.d AS hundredth FROM digits AS t CROSS JOIN digits AS u) AS g
    LEFT JOIN times_by_hundredth AS t ON arms.arm = t.arm AND g.hundredth = t.hundredth
    WHERE g.hundredth > 0
),
neighbours AS (
    SELECT
        arm,
        hundredth,
        listens,
        lag(listens) OVER scale AS below,
        lead(listens) OVER scale AS above,
        sum(CASE WHEN listens < $1 THEN 1 ELSE 0 END) OVER (PARTITION BY hundredth) AS rare_in
    FROM grid
    WINDOW scale AS (PARTITION BY arm ORDER BY hundredth)
)
SELECT arm, hundredth
FROM neighbours
WHERE listens = 0 AND below >= $1 AND above >= $1 AND rare_in = 1
ORDER BY arm, hundredth;
