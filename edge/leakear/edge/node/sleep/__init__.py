"""Sleep between the listening hours."""
