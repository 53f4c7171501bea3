"""Fits on Apache Spark of the models that one machine cannot fit fast enough."""
