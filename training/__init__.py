"""Training: learn lists for strategies from a log or a public data set, and compare models."""
