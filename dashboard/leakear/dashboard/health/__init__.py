"""Which nodes need care: what a weekly look at the fleet finds."""
