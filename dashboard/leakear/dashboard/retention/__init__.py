"""What is kept of the fleet's history, for how long, how large it is, and its export."""
