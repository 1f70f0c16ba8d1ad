"""Commands about models on nodes: deploy and rollback."""
