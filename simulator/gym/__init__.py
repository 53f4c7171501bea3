"""Listeners as Gymnasium environments."""
