"""Commands that judge sounds with a model file."""
