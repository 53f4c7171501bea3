-- The listeners whom the effects count: those with an ended session that counts, with the day and
-- process of their first event.
-- TABLE analysed
SELECT f.experiment, f."user", l.arm, f.first_ms, f.file_id, f.config
FROM first_seen AS f
INNER JOIN listeners AS l ON f.experiment = l.experiment AND f."user" = l."user"
WHERE l.sessions > 0;
