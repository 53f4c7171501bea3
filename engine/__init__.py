"""Decide, without HTTP: settings, runtime, dispatcher, listener state, metrics, snapshots."""
