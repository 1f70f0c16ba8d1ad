"""Quiet times: when a noise at a node is expected, and what happens with alerts meanwhile."""
