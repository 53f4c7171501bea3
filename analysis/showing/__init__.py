"""Reports as a table in the terminal, as JSON and as a page: all made of the same findings."""
