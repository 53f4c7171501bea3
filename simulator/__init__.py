"""A world of listeners that plays sessions against any recommender."""
