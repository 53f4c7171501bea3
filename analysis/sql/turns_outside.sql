-- Events without an arm (x) of all events since the listener entered the experiment (y).
--
-- The event of the entry counts for neither, as it always carries an arm, and so do the events of its
-- session before it, and events under a config that did not run the experiment. Without them the
-- share does not depend on how long the sessions are, which an arm may change.
WITH counted AS (
    SELECT s.arm, s."user", s.session, s.events, s.inside, s.started_ms = l.first_ms AS entry
    FROM entered_sessions AS s
    INNER JOIN exposed AS l ON s.experiment = l.experiment AND s."user" = l."user"
    WHERE s.experiment = $experiment AND (l.reason IS NULL OR l.reason = 'no recommendation')
),
marked AS (
    SELECT
        c."user",
        c.entry,
        e.config,
        e.turn,
        a.experiments IS NOT NULL AS carries,
        min(CASE WHEN a.experiments IS NOT NULL THEN e.turn END) OVER (
            PARTITION BY c."user", c.session
        ) AS entered
    FROM counted AS c
    INNER JOIN events AS e ON c."user" = e."user" AND c.session = e.session
    LEFT JOIN assignments AS a ON e.experiments = a.experiments AND a.experiment = $experiment
    WHERE c.inside < c.events
),
outside AS (
    SELECT m."user", count(*) AS x
    FROM marked AS m
    INNER JOIN running AS r ON r.experiment = $experiment AND m.config IS NOT DISTINCT FROM r.config
    WHERE NOT m.carries AND NOT (m.entry AND m.turn < m.entered)
    GROUP BY m."user"
)
SELECT
    c.arm,
    c."user",
    coalesce(max(o.x), 0) AS x,
    coalesce(max(o.x), 0) + sum(c.inside) - 1 AS y
FROM counted AS c
LEFT JOIN outside AS o ON c."user" = o."user"
GROUP BY c.arm, c."user";
