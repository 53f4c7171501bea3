"""Event log in, experiment verdict out."""
