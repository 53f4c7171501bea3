"""Hostile requests and faults at random against a real server: short in CI, long in `make soak`."""
