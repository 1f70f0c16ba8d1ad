"""Ingest by separate worker processes: from shared subscriptions into PostgreSQL, and from there to the dashboard."""
