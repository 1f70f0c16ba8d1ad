"""What a broker does not take: why, for how long it is held back, and how the culprit of a cut connection is found."""
