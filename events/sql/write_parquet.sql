-- Write one event file as Parquet, in folders by day and experiments.
--
-- An event of two experiments lies in `experiment=a__b`; an event of none in `experiment=none`.

COPY (
    SELECT
        {columns},
        strftime(make_timestamp(l.at_ms * 1000), '%Y-%m-%d') AS day,
        coalesce(a.experiment, 'none') AS experiment
    FROM loaded AS l
    LEFT JOIN (
        SELECT
            experiments,
            left(string_agg(experiment, '__' ORDER BY experiment), 200) AS experiment
        FROM assignments
        GROUP BY experiments
    ) AS a ON l.experiments = a.experiments
    ORDER BY l.line
) TO '{folder}' (
    FORMAT parquet, COMPRESSION zstd, PARTITION_BY (day, experiment), FILENAME_PATTERN '{pattern}'
);
