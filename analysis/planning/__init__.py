"""Plan an experiment from a past log: its size, how long it takes, and a salt that splits evenly."""
