"""The server of the pages: its connections and their limits, and what is sent to open pages."""
