"""Background: what this place sounds like without a leak, and how far the present stands above it."""
