-- Events of an arm's listeners that carry no arm, although the listeners had entered.
SELECT e.file_id, e.line, e."user", e.turn
FROM entered_sessions AS s
INNER JOIN events AS e ON s."user" = e."user" AND s.session = e.session
WHERE
    s.experiment = $experiment AND s.arm = $arm AND s.inside < s.events
    AND e.experiments NOT IN (SELECT experiments FROM assignments WHERE experiment = $experiment)
ORDER BY e.file_id, e.line
LIMIT 10;
