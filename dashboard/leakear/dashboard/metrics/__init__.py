"""Figures of the dashboard for Prometheus."""
