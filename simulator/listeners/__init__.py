"""Models of listeners: tastes, activity, fatigue, drift, and calibration to real logs."""
