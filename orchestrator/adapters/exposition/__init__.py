"""Prometheus metrics: families declared as data and rendered from a snapshot of the records."""
