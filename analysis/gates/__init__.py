"""Gates: can this log be believed? Each gate checks one way in which an experiment goes wrong."""
