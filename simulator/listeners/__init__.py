"""Models of listeners: what they like, when they come, how they tire, and calibration to real logs."""
