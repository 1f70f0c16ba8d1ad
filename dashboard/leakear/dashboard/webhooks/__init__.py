"""Work orders for other systems: every change of a case as JSON, sent until it is taken."""
