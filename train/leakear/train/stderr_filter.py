"""Imports TensorFlow without its start-up messages."""

import importlib
import os

from leakear.edge.stderr_filter import silenced


def load_tensorflow() -> None:
    """Import TensorFlow without its start-up messages."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silenced():
        importlib.import_module("tensorflow")
