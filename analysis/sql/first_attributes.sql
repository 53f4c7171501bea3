-- One attribute of each listener's first request in the experiment.
-- TABLE segment_labels
SELECT
    t."user",
    min_by(json_text(t.attributes, $name), t.turn)
        FILTER (WHERE json_text(t.attributes, $name) IS NOT NULL) AS segment_label
FROM told_attributes AS t
INNER JOIN assignments AS a ON t.experiments = a.experiments
WHERE a.experiment = $experiment
GROUP BY t."user";
