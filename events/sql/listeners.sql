-- Listeners in each experiment, the unit that was randomised: who is counted, and which sessions.
--
-- Intention to treat: a listener enters an experiment with the first event that carries an arm, and
-- stays in it, under that arm. Every session from the one of the entry on counts whole, also where
-- later events carry no arm because the client left out an attribute that targeting asks for. What
-- the arm did to the listener may decide whether the attribute is sent, so leaving such sessions
-- out would compare different listeners.
--
-- Two kinds of sessions do not count: those that began where the experiment did not run, and those
-- without a recommendation, which no arm had a part in. Listeners are left out, and counted in
-- `excluded`, if a tester or a seat on the board forced their arm, if they were seen in several
-- arms, or if no session of theirs counts.

-- Where an experiment ran: the configs that exposed somebody to it. Botify's events name no config,
-- so there it ran until it last exposed somebody.
-- TABLE running
SELECT a.experiment, p.config, max(p.ended_ms) AS until_ms
FROM pieces AS p
INNER JOIN assignments AS a ON p.experiments = a.experiments
GROUP BY a.experiment, p.config;

-- Every session of a listener from the one of the entry on: one row for each session and experiment.
-- `inside` are the events that carry an arm of the experiment.
-- TABLE entered_sessions
WITH entered AS (
    SELECT
        x.experiment,
        x."user",
        min_by(x.arm, (s.started_ms, s.first_turn)) AS arm,
        min((s.started_ms, s.first_turn)) AS entry
    FROM session_arms AS x
    INNER JOIN sessions AS s ON x."user" = s."user" AND x.session = s.session
    GROUP BY x.experiment, x."user"
)
SELECT
    l.experiment,
    l.arm,
    l."user",
    s.session,
    s.started_ms,
    s.forced,
    s.recommendations > 0 AS answered,
    s.events,
    coalesce(x.events, 0) AS inside,
    coalesce(x.arms > 1 OR x.arm <> l.arm, FALSE) AS moved
FROM entered AS l
INNER JOIN sessions AS s ON l."user" = s."user" AND (s.started_ms, s.first_turn) >= l.entry
LEFT JOIN session_arms AS x
    ON l.experiment = x.experiment AND s."user" = x."user" AND s.session = x.session
LEFT JOIN running AS r ON l.experiment = r.experiment AND s.config IS NOT DISTINCT FROM r.config
WHERE
    x.events > 0
    OR (r.until_ms IS NOT NULL AND (s.config IS NOT NULL OR s.started_ms <= r.until_ms));

-- `reason` is null for a listener who counts.
-- TABLE exposed
SELECT
    experiment,
    "user",
    min(arm) AS arm,
    min(started_ms) AS first_ms,
    CASE
        WHEN bool_or(forced) THEN 'forced'
        WHEN bool_or(moved) THEN 'more than one arm'
        WHEN NOT bool_or(answered) THEN 'no recommendation'
    END AS reason
FROM entered_sessions
GROUP BY experiment, "user";

-- Sessions that count in an experiment: one row for each session and experiment.
-- VIEW arm_sessions
SELECT x.experiment, x.arm, s.*
FROM entered_sessions AS x
INNER JOIN sessions AS s ON x."user" = s."user" AND x.session = s.session
INNER JOIN exposed AS l ON x.experiment = l.experiment AND x."user" = l."user"
WHERE x.answered AND l.reason IS NULL;
