"""Sums by session of past days, so that a report reads only new events."""
