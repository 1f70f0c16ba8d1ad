"""Which case to visit first, and why."""
