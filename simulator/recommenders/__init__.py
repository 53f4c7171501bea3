"""Recommenders without a server: baselines, the oracle, the console, the dispatcher."""
