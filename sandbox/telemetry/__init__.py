"""Metrics, traces and logs. Only this package imports the Prometheus client."""
