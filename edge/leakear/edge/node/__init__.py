"""Node: the loop of the daemon, what it reports, and what survives a restart."""
