-- The most similar tracks of each track: the product of a sparse matrix with itself, as a join.
--
-- `weighted(part, track, value)` is the matrix: a session (or a listener) each row, a track each
-- column. A pair of tracks is counted once and then stands for both. Ranks are by single precision,
-- as on one machine: the last digits of the sums depend on the order of the rows.
--
-- $most: similar tracks of each track.

WITH pairs AS (
    SELECT a.track AS one, b.track AS second, sum(a.value * b.value) AS score
    FROM weighted AS a
    JOIN weighted AS b ON a.part = b.part AND a.track < b.track
    GROUP BY a.track, b.track
), both_ways AS (
    SELECT one AS track, second AS near, score FROM pairs WHERE score > 0
    UNION ALL
    SELECT second AS track, one AS near, score FROM pairs WHERE score > 0
), ranked AS (
    SELECT
        track, near, score,
        row_number() OVER (
            PARTITION BY track ORDER BY CAST(score AS FLOAT) DESC, near
        ) AS place
    FROM both_ways
)
SELECT track, near, score FROM ranked WHERE place <= $most ORDER BY track, near;
