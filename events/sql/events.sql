-- Events of both formats, each with its session and turn.
--
-- Events of Segue carry both. Events of botify carry neither: a listener's events are ordered by the
-- clock, `last` after the other events of the same millisecond, then by file and line; a session
-- begins with the first event, after `last`, and after a silence longer than {gap_ms} ms.

-- TABLE botify_events
WITH marked AS (
    SELECT
        file_id, line, message, at_ms, "user", track, "time", latency_s, recommendation, experiments,
        CASE
            WHEN lag(message) OVER story = 'last' THEN 1
            WHEN at_ms - lag(at_ms) OVER story > {gap_ms} THEN 1
            WHEN lag(at_ms) OVER story IS NULL THEN 1
            ELSE 0
        END AS begins,
        row_number() OVER story AS place
    FROM loaded
    WHERE "schema" IS NULL
    WINDOW story AS (
        PARTITION BY "user"
        ORDER BY at_ms, CASE WHEN message = 'last' THEN 1 ELSE 0 END, file_id, line
    )
)
SELECT
    file_id, line, message, at_ms, "user", track, "time", latency_s, recommendation, experiments,
    concat(
        "user", '#',
        CAST(sum(begins) OVER (
            PARTITION BY "user" ORDER BY place ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW
        ) AS BIGINT)
    ) AS session,
    place AS turn
FROM marked;

-- A turn that got no answer (`error`), and a turn that was decided without the listener's state
-- (`degraded`), have no place among the listener's turns: they are in `unplaced`. `forgotten` has
-- the listeners whose history somebody had deleted (`forget`).
-- VIEW events
SELECT
    file_id, line, message, at_ms, "user", track, "time", latency_s, recommendation, experiments,
    "schema", decision, session, turn,
    strategy, answered_by, depth, propensity, candidates, config,
    coalesce(forced, FALSE) OR coalesce(seat, FALSE) AS forced,
    attributes, "key", "reset", n, recommendations, exclude, took_us,
    asked, coalesce(seat, FALSE) AS seat, failed, "filter"
FROM loaded
WHERE
    "schema" IS NOT NULL
    AND message NOT IN ('error', 'forget')
    AND NOT coalesce(degraded, FALSE)
UNION ALL
SELECT
    file_id, line, message, at_ms, "user", track, "time", latency_s, recommendation, experiments,
    0, NULL, session, turn,
    NULL, NULL, NULL, NULL, NULL, NULL, FALSE,
    NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    NULL, FALSE, NULL, NULL
FROM botify_events;

-- VIEW unplaced
SELECT
    file_id, line, message, at_ms, "user", track, "time", recommendation, experiments,
    decision, coalesce(degraded, FALSE) AS degraded, failed
FROM loaded
WHERE "schema" IS NOT NULL AND (message = 'error' OR coalesce(degraded, FALSE));

-- VIEW forgotten
SELECT file_id, line, at_ms, "user", decision FROM loaded WHERE "schema" IS NOT NULL AND message = 'forget';

-- VIEW exposures
SELECT e.file_id, e.line, e."user", e.session, e.turn, e.at_ms, a.experiment, a.arm, e.forced
FROM events AS e
INNER JOIN assignments AS a ON e.experiments = a.experiments;

-- VIEW told_attributes
SELECT experiments, "user", attributes, turn FROM events WHERE attributes IS NOT NULL;

-- VIEW config_counts
SELECT experiments, config, count(*) AS events, min(at_ms) AS first_ms
FROM events
WHERE config IS NOT NULL
GROUP BY experiments, config;
