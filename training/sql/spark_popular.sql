-- Counts of each track: listens, the sum of the shares heard, and distinct listeners.
--
-- The weight of a listener's first listen of a track is the weight of the listener.

SELECT
    track,
    sum(plays) AS plays,
    sum(heard) AS heard,
    sum(first_weight) AS listeners
FROM (
    SELECT
        track,
        sum(CAST(weight AS DOUBLE) * plays) AS plays,
        sum(CAST(weight AS DOUBLE) * plays * "time") AS heard,
        CAST(min_by(weight, place) AS DOUBLE) AS first_weight
    FROM listens
    GROUP BY track, "user"
)
GROUP BY track;
