"""Statistics of the report: pure functions of numbers, each with the source of its formula."""
