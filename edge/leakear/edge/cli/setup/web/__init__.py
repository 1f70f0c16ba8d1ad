"""Setup as a page for a browser: for the first boot of a node without a screen."""
