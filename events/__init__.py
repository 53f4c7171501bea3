"""The event log: its schema, its writer, and reading it back as events, sessions and listeners."""
