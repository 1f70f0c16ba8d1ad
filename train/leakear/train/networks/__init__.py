"""The networks that can be trained, by preset."""
