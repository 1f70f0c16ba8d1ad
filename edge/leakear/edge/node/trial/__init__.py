"""A new model that is not trusted yet, compared with the one before it on the same windows."""
