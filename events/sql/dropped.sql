-- Lines that are no events, by reason, with the first three places of each.

-- VIEW dropped
WITH placed AS (
    SELECT
        d.reason,
        concat(f.path, ':', d.line) AS place,
        row_number() OVER (PARTITION BY d.reason ORDER BY d.file_id, d.line) AS number
    FROM dropped_lines AS d
    INNER JOIN files AS f ON d.file_id = f.file_id
)
SELECT
    reason,
    count(*) AS lines,
    known_of(
        max(CASE WHEN number = 1 THEN place END),
        max(CASE WHEN number = 2 THEN place END),
        max(CASE WHEN number = 3 THEN place END)
    ) AS examples
FROM placed
GROUP BY reason;
