"""What becomes of a stored event: pages, notifications, cases; and what a quiet time holds back."""
