"""Play sessions against a recommender, in process or over HTTP, and record what happened."""
