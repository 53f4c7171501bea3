"""Learns lists for strategies from an event log or a public data set, and compares models."""
