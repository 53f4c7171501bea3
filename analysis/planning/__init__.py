"""Plan an experiment from a past log: its size, its length, and a salt that splits evenly."""
