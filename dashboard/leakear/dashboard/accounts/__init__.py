"""Accounts: users, sessions, limits of the log-in."""
