"""Check whether a log can be believed: each check finds one way in which a test goes wrong."""
