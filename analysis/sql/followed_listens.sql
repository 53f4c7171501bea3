-- Each listen that follows a recommendation; see steps.sql. Tracks of turns that were decided without the
-- state are left out, because the listener may well hear them.
-- VIEW followed_listens
SELECT f.file_id, f.line, f."user", f."schema", s.experiments, f.recommended, f.track, f.broken, f.again
FROM steps AS f
LEFT JOIN arm_sets AS s ON f.arms = s.arms
LEFT JOIN (
    SELECT DISTINCT "user", recommendation
    FROM unplaced
    WHERE degraded AND recommendation IS NOT NULL
) AS d ON f.broken AND f."user" = d."user" AND f.track = d.recommendation
WHERE f.followed AND d."user" IS NULL;
