-- Files of a log, with the events that each gave.

SELECT
    f.path,
    f.format,
    f.lines,
    f.lines - coalesce(d.lines, 0) AS events,
    left(f.checksum, 12) AS checksum
FROM files AS f
LEFT JOIN (SELECT file_id, count(*) AS lines FROM dropped_lines GROUP BY 1) AS d
    ON f.file_id = d.file_id
ORDER BY f.file_id;
