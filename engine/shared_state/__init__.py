"""The listeners' state on Redis, shared by processes: scripts, records, connections, outages."""
