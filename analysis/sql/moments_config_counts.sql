SELECT * FROM config_counts;
