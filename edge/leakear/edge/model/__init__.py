"""Score: the model file, and the network that turns a spectrogram into P(leak)."""

from leakear.edge.model.tflite import FACTORY, Model, ModelOptions

__all__ = ["FACTORY", "Model", "ModelOptions"]
