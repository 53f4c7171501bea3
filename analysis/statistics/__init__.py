"""The mathematics of verdicts: pure functions of numbers, each with the source of its formula."""
