-- One attribute of each listener's first request in the experiment.
SELECT t."user", arg_min(json_extract_string(t.attributes, [$path])[1], t.turn)
FROM told_attributes AS t
INNER JOIN assignments AS a ON t.experiments = a.experiments
WHERE a.experiment = $experiment
GROUP BY t."user";
