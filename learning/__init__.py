"""The loop that learns: from the event log to a version of artifacts that is judged and served."""
