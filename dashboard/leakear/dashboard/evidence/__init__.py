"""The sound and the pictures of events: fetched from their nodes, checked, kept, exported for training."""
