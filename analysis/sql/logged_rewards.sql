-- Decisions of ours with their rewards: how much of the recommended track the listener heard. The
-- next event of the session tells it. `why_not` says why a decision has no reward.

-- TABLE logged_rewards
WITH opened AS (
    SELECT "user", session, min(turn) AS turn FROM events WHERE "schema" > 0 GROUP BY ALL
)
SELECT
    d.decision,
    d."user",
    d.recommendation,
    d.propensity,
    d.experiments,
    CASE WHEN h.track = d.recommendation THEN h."time" END AS reward,
    d.turn = o.turn AS first,
    CASE
        WHEN d.forced THEN 'forced'
        WHEN d.n > 1 THEN 'several tracks at once'
        WHEN d.propensity IS NULL THEN 'no propensity'
        WHEN h."user" IS NULL THEN 'the session was still open, or its next event is not there'
        WHEN h.track IS NULL THEN 'the next event tells of no track'
        WHEN h.track <> d.recommendation THEN 'another track was heard'
    END AS why_not
FROM events AS d
INNER JOIN opened AS o ON d."user" = o."user" AND d.session = o.session
LEFT JOIN events AS h
    ON d."user" = h."user" AND d.session = h.session AND h.turn = d.turn + 1 AND h."schema" > 0
WHERE d."schema" > 0 AND d.message = 'next';
