"""Converts a Keras network into a verified TFLite model file."""
