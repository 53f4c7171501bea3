"""Worlds of tracks, taste vectors and listeners: read, written, and generated."""
