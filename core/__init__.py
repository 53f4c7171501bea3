"""Plain values that every package shares: catalog, lists, listener, candidates, allocation.

Imports no framework, and opens only the data files that a caller names.
"""
