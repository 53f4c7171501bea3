-- Listeners whom the effects leave out, and why. Those without an ended session are in `listeners`:
-- they have no mean, and count with what they have in sums.
-- VIEW excluded
SELECT experiment, "user", arm, reason FROM exposed WHERE reason IS NOT NULL
UNION ALL
SELECT experiment, "user", arm, 'no ended session' FROM listeners WHERE sessions = 0;
