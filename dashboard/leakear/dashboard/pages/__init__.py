"""What a browser asks for: the page itself, its data, its live line."""
