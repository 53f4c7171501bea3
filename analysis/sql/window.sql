-- The first and the last event of an experiment: within the log's span, which no impossible stamp
-- widens, unless no event is.
SELECT
    coalesce(min(e.at_ms) FILTER (WHERE e.at_ms BETWEEN s.begin_ms AND s.end_ms), min(e.at_ms)),
    coalesce(max(e.at_ms) FILTER (WHERE e.at_ms BETWEEN s.begin_ms AND s.end_ms), max(e.at_ms))
FROM exposures AS e
CROSS JOIN log_span AS s
WHERE e.experiment = $experiment;
