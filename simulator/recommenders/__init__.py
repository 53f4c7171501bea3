"""Recommenders that need no server: baselines, the oracle, the console, the dispatcher in process."""
