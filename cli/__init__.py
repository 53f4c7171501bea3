"""The command segue: the only place that wires the other packages together."""
