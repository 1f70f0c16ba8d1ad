"""How a simulated place changes with time: from hour to hour, night to night and season to season, and for good."""
