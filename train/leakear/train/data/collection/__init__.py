"""What recordings a data set holds: folders and their labels, their health, and recordings that are the same."""
