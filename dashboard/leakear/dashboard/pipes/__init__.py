"""Pipes between two nodes, and jobs that locate a leak on them: recordings asked for, fetched, correlated, kept."""
