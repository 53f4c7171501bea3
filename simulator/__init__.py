"""Simulated listeners that play sessions against any recommender."""
