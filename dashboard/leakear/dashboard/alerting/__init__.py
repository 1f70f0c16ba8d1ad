"""What becomes of a stored event: pages, notifications, cases; and what is held back."""
