"""The settings in config.yaml: their form and defaults, how they are loaded, and their faults."""
