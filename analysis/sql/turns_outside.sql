-- Events without an arm (x) of all events since the listener entered the experiment (y).
SELECT s.arm, s."user", sum(s.events - s.inside) AS x, sum(s.events) AS y
FROM entered_sessions AS s
INNER JOIN exposed AS l ON s.experiment = l.experiment AND s."user" = l."user"
WHERE s.experiment = $experiment AND (l.reason IS NULL OR l.reason = 'no recommendation')
GROUP BY s.arm, s."user";
