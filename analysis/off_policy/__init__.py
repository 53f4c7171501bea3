"""Estimate from a log what another strategy would have earned."""
