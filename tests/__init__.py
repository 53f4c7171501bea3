"""Tests of Segue. What they share: `worlds.py`, a small catalog with lists, made by hand."""
