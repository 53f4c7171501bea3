"""Compare arms: listeners' metrics, their effects with intervals, and the verdict of a report."""
