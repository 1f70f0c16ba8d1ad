"""Addresses of quiet times, reports, settings and figures."""
