"""Levels of third octaves in a window's quiet moments: what a place sounds like, whatever band the model hears.

Sixteen spectra spread over the window cost half a millisecond; of each third octave the lower quartile is kept, so
that a knock or a passing car leaves no trace.
"""

from functools import lru_cache
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray

from leakear.edge.fourier import rfft

if TYPE_CHECKING:
    from leakear.edge.spec import Samples, SpectrogramSpec

Bands: TypeAlias = NDArray[np.float32]
"""One level for each of `CENTRES_HZ`, shape (25,), dB re a full-scale sine"""
CENTRES_HZ: NDArray[np.float64] = 1000 * 2.0 ** (np.arange(-15, 10) / 3)
"""31 Hz to 8 kHz, shape (25,)"""
WIDTH = 2 ** (1 / 6) - 2 ** (-1 / 6)
"""Hertz of a third octave for each hertz of its centre."""
ABSENT_DB = -140.0
"""Level of a band that the sampling rate does not reach."""
_SPECTRA = 16
_QUIET = 25
"""Percentile over the spectra."""


def quiet_levels(samples: "Samples", spec: "SpectrogramSpec") -> Bands:
    """Measure one window, shape (window_samples,)."""
    x = samples - samples.mean(dtype=np.float32)
    starts = np.linspace(0, max(0, len(x) - spec.n_fft), _SPECTRA).astype(int)
    frames = np.stack([x[start : start + spec.n_fft] for start in starts])
    spectra = rfft(frames * _hann(frames.shape[1]))
    power = (spectra.real * spectra.real + spectra.imag * spectra.imag) / np.float32(spec.full_scale**2)
    edges = _edges(frames.shape[1], spec.sample_rate)
    found = np.full(len(CENTRES_HZ), ABSENT_DB, np.float32)
    heard = len(edges) - 1
    bands = np.add.reduceat(power, edges, axis=1)[:, :heard]
    found[:heard] = np.percentile(10 * np.log10(bands + 1e-14), _QUIET, axis=0)
    return found


@lru_cache(maxsize=2)
def _hann(n: int) -> "Samples":
    return np.hanning(n).astype(np.float32)


@lru_cache(maxsize=2)
def _edges(n: int, rate: int) -> NDArray[np.intp]:
    """First bin of each band that the rate reaches, and the first bin behind the last, shape (bands + 1,)."""
    hz = np.append(CENTRES_HZ * 2 ** (-1 / 6), CENTRES_HZ[-1] * 2 ** (1 / 6))
    bins = np.searchsorted(np.arange(n // 2 + 1) * rate / n, hz)
    return bins[bins < n // 2 + 1]
