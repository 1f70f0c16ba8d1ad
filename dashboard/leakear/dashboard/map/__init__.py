"""The map: where nodes and pipes lie, what is located on them, which pipes nobody hears."""
