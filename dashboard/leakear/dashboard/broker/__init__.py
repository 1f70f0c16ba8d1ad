"""Broker: connections, subscriptions, commands and their answers."""
