"""config.yaml: its form, how it is loaded, and everything that can be wrong with it."""
