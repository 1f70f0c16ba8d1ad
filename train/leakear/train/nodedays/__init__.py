"""Node-days: whole days through the node's own code, judged against what really happened."""
