"""Levels of third octaves in a window's quiet moments: what a place sounds like, whatever band the model uses.

Of each third octave the lower quartile over the window's short spectra is kept, so that a knock or a passing car
does not change it.
"""

from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from leakear.edge.spec import SpectrogramSpec
from leakear.edge.spectrogram.percentiles import percentile
from leakear.edge.spectrogram.short_spectra import Powers

Bands: TypeAlias = NDArray[np.float32]
"""One level for each of `CENTRES_HZ`, shape (25,), dB re a full-scale sine"""
Rows: TypeAlias = NDArray[np.float32]
"""Spectra, shape (n, 25), dB or power"""
CENTRES_HZ: NDArray[np.float64] = 1000 * 2.0 ** (np.arange(-15, 10) / 3)
"""31 Hz to 8 kHz, shape (25,)"""
WIDTH = 2 ** (1 / 6) - 2 ** (-1 / 6)
"""Width of a third octave in Hz, for each Hz of its centre."""
COUNTED = slice(int(np.searchsorted(CENTRES_HZ, 180.0)), None)
"""Bands in which an excess counts: from 200 Hz on; lower ones belong to traffic and wind."""
ABSENT_DB = -140.0
"""Level of a band that the sampling rate does not reach."""
_QUIET = 25
"""Percentile over the spectra."""


def quiet_levels(powers: Powers, spec: SpectrogramSpec) -> Bands:
    """Return the third-octave levels of one window. `powers`: its short spectra, shape (16, bins)."""
    edges = _edges(2 * (powers.shape[1] - 1), spec.sample_rate)
    reached = len(edges) - 1
    levels = np.full(len(CENTRES_HZ), ABSENT_DB, np.float32)
    bands = np.add.reduceat(powers, edges, axis=1)[:, :reached]
    levels[:reached] = percentile(10 * np.log10(bands + 1e-14), _QUIET)
    return levels


@lru_cache(maxsize=2)
def _edges(n: int, rate: int) -> NDArray[np.intp]:
    """First bin of each band that the rate reaches, and the first bin behind the last, shape (bands + 1,)."""
    hz = np.append(CENTRES_HZ * 2 ** (-1 / 6), CENTRES_HZ[-1] * 2 ** (1 / 6))
    bins = np.searchsorted(np.arange(n // 2 + 1) * rate / n, hz)
    return bins[bins < n // 2 + 1]
