"""Check whether a log can be believed: each check finds one way in which an experiment goes wrong."""
