"""A whole simulation: its options, the parts made of them, and the run over its days."""
