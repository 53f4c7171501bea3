-- Listeners in each experiment, the unit that was randomised: who is counted, and which sessions.
--
-- A listener who was seen in more than one arm, or forced into one, is left out and counted in
-- `excluded`. A session counts where it lies in the experiment from its first event to its last.

CREATE TABLE exposed AS
SELECT
    x.experiment,
    x."user",
    min(x.arm) AS arm,
    max(x.arm) AS other_arm,
    max(x.arms) AS arms_of_a_session,
    max(CASE WHEN s.forced THEN 1 ELSE 0 END) AS forced,
    min(s.started_ms) AS first_ms
FROM session_arms AS x
INNER JOIN sessions AS s ON x."user" = s."user" AND x.session = s.session
GROUP BY x.experiment, x."user";

CREATE VIEW excluded AS
SELECT
    experiment,
    "user",
    CASE WHEN forced = 1 THEN 'forced' ELSE 'more than one arm' END AS reason
FROM exposed
WHERE forced = 1 OR arm <> other_arm OR arms_of_a_session > 1;

-- Sessions that count in an experiment: one row for each session and experiment.
CREATE VIEW arm_sessions AS
SELECT x.experiment, x.arm, s.*
FROM session_arms AS x
INNER JOIN sessions AS s ON x."user" = s."user" AND x.session = s.session
INNER JOIN exposed AS l ON x.experiment = l.experiment AND x."user" = l."user"
WHERE x.events = s.events AND l.forced = 0 AND l.arm = l.other_arm AND l.arms_of_a_session = 1;
