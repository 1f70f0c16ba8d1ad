"""Sixteen short power spectra spread over a window, computed once for the health check and the third octaves.

They cost a quarter of a millisecond; the whole spectrogram would cost as much as the score.
"""

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from leakear.edge.spec import Samples, SpectrogramSpec
from leakear.edge.spectrogram.fourier import rfft, squared

Powers: TypeAlias = NDArray[np.float32]
"""Power spectra, shape (16, bins); 1 is a full-scale sine in its bin"""
SPECTRA = 16
"""Spectra of one window."""


def short_powers(samples: Samples, spec: SpectrogramSpec) -> Powers:
    """Return the power spectra of a window, shape (window_samples,), without its mean.

    Each covers `spec.n_fft` samples under a Hann window. A window with values that are not numbers gives spectra
    that mean nothing; `health.measures.measure` finds such a window.
    """
    length = min(spec.n_fft, len(samples))
    starts = np.linspace(0, len(samples) - length, SPECTRA).astype(int)
    with np.errstate(all="ignore"):
        frames = np.stack([samples[start : start + length] for start in starts])
        spectra = rfft((frames - samples.mean(dtype=np.float32)) * hann(length))
        power: Powers = squared(spectra)
        power /= np.float32(spec.full_scale**2)
    return power


@lru_cache(maxsize=4)
def hann(n: int) -> Samples:
    """Symmetric Hann window, shape (n,)."""
    return np.hanning(n).astype(np.float32)
