"""Keras in, one verified TFLite bundle out."""
