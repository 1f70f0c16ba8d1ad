"""Test bench: simulated nodes, and the demonstration with its day of simulated sound."""
