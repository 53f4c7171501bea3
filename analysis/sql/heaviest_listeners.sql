-- The listener with the largest share of an arm's sessions, or of its recommendations.
WITH shares AS (
    SELECT
        arm,
        count(*) AS listeners,
        max(sessions) / nullif(sum(sessions), 0) AS of_sessions,
        max_by("user", (sessions, "user")) AS most_sessions,
        max(recommendations) / nullif(sum(recommendations), 0) AS of_answers,
        max_by("user", (recommendations, "user")) AS most_answers
    FROM listeners
    WHERE experiment = $experiment
    GROUP BY arm
)
SELECT
    arm,
    listeners,
    CASE WHEN of_sessions >= of_answers THEN most_sessions ELSE most_answers END,
    greatest(of_sessions, of_answers),
    CASE WHEN of_sessions >= of_answers THEN 'sessions' ELSE 'recommendations' END
FROM shares
WHERE of_sessions IS NOT NULL
ORDER BY arm;
