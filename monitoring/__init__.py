"""What Prometheus, Alertmanager and Grafana are given."""
