"""Representations of one window to compare: linear lines, grouped lines, mel bands, and a hybrid of both.

The reference notebook assumes that 2049 linear lines hold detail which coarser bands lose.
"""

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np

from leakear.edge.spec import Decibels, Samples, SpectrogramSpec
from leakear.edge.spectrogram import spectrogram

LOWEST_DB = -120.0
"""Lowest level, dB of full scale."""
_GROUP = 4
_LINES_KEPT = 256
"""Number of linear lines in the hybrid: up to 1378 Hz."""


def linear(sound: Samples) -> Decibels:
    """2049 lines, n_fft 4096, dB of full scale, (2049, 431)."""
    return spectrogram(sound, SpectrogramSpec("full-scale"))


def grouped(sound: Samples) -> Decibels:
    """512 groups of four lines, their power averaged."""
    power = 10 ** (linear(sound)[: 512 * _GROUP] / 10)
    return _decibels(power.reshape(512, _GROUP, -1).mean(axis=1))


def mel(sound: Samples) -> Decibels:
    """256 mel bands from the same 2049 lines."""
    return _decibels(_filters(4096, 256) @ 10 ** (linear(sound) / 10))


def notebook_mel(sound: Samples) -> Decibels:
    """128 mel bands with n_fft 2048: the notebook's comparison."""
    spec = SpectrogramSpec("full-scale", n_fft=2048)
    return _decibels(_filters(2048, 128) @ 10 ** (spectrogram(sound, spec) / 10))


def hybrid(sound: Samples) -> Decibels:
    """256 linear lines up to 1378 Hz, mel bands above."""
    above = mel(sound)[_first_mel_above() :]
    return np.concatenate([linear(sound)[:_LINES_KEPT], above])


REPRESENTATIONS: Mapping[str, tuple[str, Callable[[Samples], Decibels]]] = MappingProxyType(
    {
        "linear": ("2049 linear lines", linear),
        "grouped": ("512 groups of four lines", grouped),
        "mel": ("256 mel bands, n_fft 4096", mel),
        "hybrid": ("256 lines up to 1378 Hz, mel bands above", hybrid),
        "notebook-mel": ("128 mel bands, n_fft 2048 (the notebook's)", notebook_mel),
    }
)


def pooled(decibels: Decibels, frames: int, reference: str) -> Decibels:
    """Average each `frames` frames, scale to [0, 1]; reference "max" removes the level, as the notebook does."""
    count = decibels.shape[1] // frames
    mean = decibels[:, : count * frames].reshape(len(decibels), count, frames).mean(axis=2)
    if reference == "max":
        return np.asarray(np.clip(1 + (mean - mean.max()) / 80, 0, 1), np.float32)
    return np.asarray(1 - mean / LOWEST_DB, np.float32)


def _decibels(power: Any) -> Decibels:
    return np.asarray(10 * np.log10(np.maximum(power, 10 ** (LOWEST_DB / 10))), np.float32)


@cache
def _filters(n_fft: int, bands: int) -> Any:
    """Mel filters (bands, lines) whose weights sum to 1, so that a band's value is a mean power."""
    import librosa

    weights = librosa.filters.mel(sr=22050, n_fft=n_fft, n_mels=bands, norm=None)
    return weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-12)


def _first_mel_above() -> int:
    import librosa

    middles = librosa.mel_frequencies(n_mels=258, fmax=11025.0)[1:-1]
    return int(np.searchsorted(middles, _LINES_KEPT * 22050 / 4096))
