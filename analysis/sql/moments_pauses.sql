-- How often each pause between two turns of a session came. Whether a session is over depends on the
-- pauses (checks/parity.py), but no longer on how far a pause is beyond these ends.
SELECT least(greatest(pause, {shortest}), {longest}) AS pause, count(*) AS pauses
FROM (
    SELECT at_ms - lag(at_ms) OVER story AS pause
    FROM events
    WINDOW story AS (PARTITION BY "user", session ORDER BY turn, file_id, line)
) AS between_turns
WHERE pause IS NOT NULL
GROUP BY least(greatest(pause, {shortest}), {longest});
