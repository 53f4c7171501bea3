-- One attribute of each listener's first request in the experiment.
SELECT x."user", arg_min(json_extract_string(e.attributes, [$path])[1], x.turn)
FROM exposures AS x
INNER JOIN events AS e ON x.file_id = e.file_id AND x.line = e.line
WHERE x.experiment = $experiment
GROUP BY x."user";
