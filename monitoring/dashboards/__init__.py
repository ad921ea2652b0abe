"""Grafana dashboards, generated: python -m monitoring.dashboards.generate."""
