"""Plain values that everybody shares: catalog, lists, listener, candidates, allocation, decision.

Knows no framework, opens nothing but the data files that it is given.
"""
