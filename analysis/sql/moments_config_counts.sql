SELECT CAST(experiments AS STRING) AS experiments, config, events, first_ms FROM config_counts;
