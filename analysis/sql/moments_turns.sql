-- The tracks of each session, and its answers with the time that each took: what cannot be summed
-- before all events of a session, or all listeners of an arm, are known.
SELECT
    "user",
    session,
    track,
    recommendation,
    CAST(CASE WHEN message = 'next' THEN coalesce(took_us / 1e6, latency_s) END AS DOUBLE)
        AS latency_s,
    message = 'next' AS answer
FROM events;
