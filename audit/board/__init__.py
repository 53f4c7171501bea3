"""The content of the board: what its pages show of a log and of a config, as plain JSON values."""
