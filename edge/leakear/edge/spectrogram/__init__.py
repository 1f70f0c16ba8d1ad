"""Spectrogram: the one of the project; training, conversion and the node all use it."""

from leakear.edge.spec import Decibels, Samples, SpectrogramSpec
from leakear.edge.spectrogram.stft import IncrementalSpectrogram, spectrogram

__all__ = ["Decibels", "IncrementalSpectrogram", "Samples", "SpectrogramSpec", "spectrogram"]
