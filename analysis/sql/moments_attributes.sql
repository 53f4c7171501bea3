-- The attributes that each listener's requests had, with the first turn of each.
SELECT
    CAST(experiments AS STRING) AS experiments,
    "user",
    CAST(attributes AS STRING) AS attributes,
    min(turn) AS turn
FROM events
WHERE attributes IS NOT NULL AND experiments IS NOT NULL
GROUP BY CAST(experiments AS STRING), "user", CAST(attributes AS STRING);
