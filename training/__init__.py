"""Event log in, lists for strategies out."""
