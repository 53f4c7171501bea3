-- Sessions that are over, by the strategy of the arm that began them: their number, the mean time of
-- their recommendations, and its standard error, clustered by listener.

WITH by_listener AS (
    SELECT e.strategy, s."user", count(*) AS n, sum(s.time_chosen) AS total
    FROM sessions AS s
    INNER JOIN events AS e
        ON s."user" = e."user" AND s.session = e.session AND s.first_turn = e.turn
    WHERE s.ended AND e.strategy IS NOT NULL
    GROUP BY ALL
),
means AS (
    SELECT strategy, CAST(sum(n) AS BIGINT) AS n, sum(total) / sum(n) AS mean
    FROM by_listener
    GROUP BY strategy
)
SELECT m.strategy, m.n, m.mean, sqrt(sum((b.total - m.mean * b.n) ** 2)) / m.n AS error
FROM means AS m
INNER JOIN by_listener AS b ON m.strategy = b.strategy
GROUP BY m.strategy, m.n, m.mean
ORDER BY m.strategy;
