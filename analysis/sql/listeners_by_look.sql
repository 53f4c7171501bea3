-- Listeners by arm for each look of the sequential test: a look is $size listeners in the order in
-- which they came.
--
-- One machine would number all listeners. So those of ten minutes are numbered together, and the
-- listeners who came before are added.
WITH came AS (
    SELECT arm, "user", first_ms, CAST(floor(first_ms / 600000) AS BIGINT) AS part
    FROM {listeners}
    WHERE experiment = $experiment
),
parts AS (SELECT part, count(*) AS listeners FROM came GROUP BY part),
begun AS (SELECT part, sum(listeners) OVER (ORDER BY part) - listeners AS before FROM parts),
numbered AS (
    SELECT
        c.arm,
        b.before + row_number() OVER (PARTITION BY b.part ORDER BY c.first_ms, c."user") - 1 AS place
    FROM came AS c
    INNER JOIN begun AS b ON c.part = b.part
)
SELECT CAST(floor(place / $size) AS BIGINT) AS look, arm, count(*)
FROM numbered
GROUP BY look, arm
ORDER BY look, arm;
