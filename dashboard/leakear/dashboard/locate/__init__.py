"""Where between two sensors a leak is."""
