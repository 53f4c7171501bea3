"""Tests of Segue. What they share: `service.py`, a server over the small world of segue.testing."""
