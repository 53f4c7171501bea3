"""Render a report in the terminal, as JSON and as a page, all from the same results."""
