"""Training: makes networks from recordings and simulated sound, and evaluates them."""
