-- The listener table: one row for each listener of one experiment, the unit that was randomised.
--
-- Metrics are expressions over its columns: those of `listeners` (events/reader.py), and
-- distinct_tracks, distinct_artists (means over the listener's ended sessions), entered_turn (the
-- listener's requests up to the first one in the experiment, that one included).
--
-- Sums of fractions come out of parallel threads in any order: they are rounded, so that the same
-- log gives the same bytes.

-- TABLE listener_table
WITH varied AS (
    SELECT
        s."user",
        avg(v.tracks) AS distinct_tracks,
        avg(v.artists) AS distinct_artists
    FROM arm_sessions AS s
    INNER JOIN variety AS v ON s."user" = v."user" AND s.session = v.session
    WHERE s.experiment = $experiment AND s.ended
    GROUP BY s."user"
),
entered AS (
    SELECT "user", min(turn) AS turn
    FROM exposures
    WHERE experiment = $experiment
    GROUP BY "user"
)
SELECT
    l.arm,
    l."user",
    l.first_ms,
    l.sessions,
    l.open_sessions,
    round(l.mean_time_all, 9) AS mean_time_all,
    round(l.mean_time_chosen, 9) AS mean_time_chosen,
    round(l.mean_listens, 9) AS mean_listens,
    round(l.time_all, 9) AS time_all,
    round(l.time_chosen, 9) AS time_chosen,
    l.listens,
    l.listens_chosen,
    l.skips,
    l.recommendations,
    l.fallbacks,
    round(l.latency_s, 9) AS latency_s,
    l.timed,
    l.before_sessions,
    round(l.before_mean_time_all, 9) AS before_mean_time_all,
    round(l.before_mean_time_chosen, 9) AS before_mean_time_chosen,
    round(l.before_time_all, 9) AS before_time_all,
    round(v.distinct_tracks, 9) AS distinct_tracks,
    round(v.distinct_artists, 9) AS distinct_artists,
    e.turn AS entered_turn
FROM listeners AS l
LEFT JOIN varied AS v ON l."user" = v."user"
LEFT JOIN entered AS e ON l."user" = e."user"
WHERE l.experiment = $experiment;
