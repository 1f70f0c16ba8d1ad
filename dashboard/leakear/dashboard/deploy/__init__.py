"""Deploy: bring a signed model to nodes in waves, watch its trial, stop on trouble, take it back."""
