"""OpenAPI models of the board's answers, a module a page; docs/board.md explains them.

The board's process writes the answers without these models; a test compares the two.
"""
