"""Prometheus metrics: families described as data, rendered from a snapshot of the records."""
